using System.Text.Json;

namespace Hadal.Server.Generation;

/// <summary>An answer that is sent when it is whole.</summary>
internal interface ICollectedAnswer
{
    void Add(in PromptEvent e);

    void WriteTo(Utf8JsonWriter json);
}
