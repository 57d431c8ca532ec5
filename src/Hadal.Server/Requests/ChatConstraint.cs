using Hadal.Engine.Constraints;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

/// <summary>What a chat answer is held to: its form, the calls it must make, and how long it may think before.</summary>
internal static class ChatConstraint
{
    /// <param name="body">The request.</param>
    /// <param name="model">Whose vocabulary it is.</param>
    /// <param name="tools">What may be called.</param>
    /// <param name="start">How the answer's thinking begins; null where the model has none.</param>
    public static Func<ITokenConstraint>? Read(JsonFields body, ServedModel model, ToolSettings? tools, ReasoningStart? start)
    {
        Grammar? grammar = ReadGrammar(body, model, tools);
        int? budget = ReasoningReader.Budget(body);
        bool isInside = start is ReasoningStart.BehindOpen or ReasoningStart.AmidReasoning;
        if (!isInside && start != ReasoningStart.Undecided || grammar is null && budget is null)
            return grammar is null ? null : grammar.CreateConstraint;
        ReasoningMarkers markers = model.ReasoningMarkers!;
        if (!model.Tokenizer.TryGetId(markers.Close, out int close))
            throw ApiException.NotSupported(grammar is null ? "max_reasoning_tokens" : "response_format", $"'{markers.Close}' is no token of '{model.Id}', so that the end of its thinking cannot be seen in time.");
        int open = model.Tokenizer.TryGetId(markers.Open, out int id) ? id : close;
        TokenVocabulary vocabulary = model.Grammars.Vocabulary;
        return () => new ReasoningConstraint(vocabulary, open, close, isInside, grammar?.CreateConstraint(), budget);
    }

    private static Grammar? ReadGrammar(JsonFields body, ServedModel model, ToolSettings? tools)
    {
        StructuredOutputReader.Form? form = StructuredOutputReader.Read(body);
        if (tools is { IsRequired: true })
            return StructuredOutputReader.Compile("tools", model.Grammars, compiler => compiler.ToolCalls(tools.Format, tools.Callable, tools.AllowsSeveral));
        if (form is null)
            return null;
        if (tools is null)
            return StructuredOutputReader.Compile(form.Param, model.Grammars, form.Compile);

        // The model may call, or answer in the form asked for.
        if (form.Schema is null)
            throw ApiException.NotSupported(form.Param, $"'{form.Param}' together with 'tools' is only supported for JSON; set 'tool_choice' to 'none', or use response_format.");
        return StructuredOutputReader.Compile(form.Param, model.Grammars, compiler => compiler.ToolCalls(tools.Format, tools.Callable, tools.AllowsSeveral, form.Schema));
    }
}
