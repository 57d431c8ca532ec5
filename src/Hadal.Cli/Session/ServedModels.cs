using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Server;

namespace Hadal.Cli.Session;

/// <summary>A loaded model as the API shows it.</summary>
internal static class ServedModels
{
    /// <param name="session">The model.</param>
    /// <param name="name">What clients call it; null for its own name.</param>
    /// <param name="toolParser">Of ToolCallFormat, a name; auto for what the model shows, none for no calls.</param>
    public static ServedModel Of(EngineSession session, string? name, string toolParser = "auto") => new()
    {
        Id = name ?? session.Name,
        Engine = session.Engine,
        Tokenizer = session.Tokenizer,
        ChatTemplate = session.Template,
        Config = session.Config,
        Created = TimeProvider.System.GetUtcNow(),
        ReasoningMarkers = ReasoningMarkers.Detect(session.Tokenizer, session.Template),
        ToolCallFormat = toolParser == "auto" ? ToolCallFormat.Detect(session.Tokenizer, session.Template) : ToolCallFormat.All.FirstOrDefault(format => format.Name == toolParser),
    };
}
