using Hadal.Server.Http;

namespace Hadal.Server.Generation;

/// <summary>An answer that is sent as it comes, as server-sent events.</summary>
internal interface IStreamedAnswer
{
    /// <summary>What goes out before the first token.</summary>
    void Begin();

    void Write(in PromptEvent e);

    /// <summary>What goes out after the last token, but for <c>[DONE]</c>.</summary>
    void End();

    /// <summary><c>[DONE]</c> goes out behind the end.</summary>
    bool EndsWithDone => true;

    /// <summary>What goes out where the answer breaks off.</summary>
    void Fail(ApiException error);
}
