using Hadal.Formats.Tokenization;

namespace Hadal.Formats.Chat.Tools;

/// <summary>How a family of models writes tool calls: in its answers, and in the system prompt where its template leaves tools out.</summary>
/// <param name="Name">As <c>--tool-call-parser</c> has it.</param>
/// <param name="Begin">Before the first call.</param>
/// <param name="BeforeName">Of each call.</param>
/// <param name="AfterName">Between a call's name and its arguments, which are JSON.</param>
/// <param name="AfterArguments">Behind each call's arguments.</param>
/// <param name="Between">Two calls.</param>
/// <param name="End">Behind the last call.</param>
/// <param name="AllowsSeveral">More than one call in an answer.</param>
public sealed record ToolCallFormat(
    string Name, string Begin, string BeforeName, string AfterName, string AfterArguments, string Between, string End, bool AllowsSeveral = true)
{
    /// <summary>DeepSeek V3, R1 and the R1 distills: arguments in a JSON fence.</summary>
    public static ToolCallFormat DeepSeekV3 { get; } = new(
        "deepseek_v3", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", "\n```json\n", "\n```<｜tool▁call▁end｜>", "\n", "<｜tool▁calls▁end｜>");

    public static ToolCallFormat DeepSeekV31 { get; } = new(
        "deepseek_v31", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "", "<｜tool▁calls▁end｜>");

    /// <summary>Hermes, Qwen2.5, Qwen3.</summary>
    public static ToolCallFormat Hermes { get; } = new("hermes", "", "<tool_call>\n{\"name\": \"", "\", \"arguments\": ", "}\n</tool_call>", "\n", "");

    /// <summary>Llama 3.1 and later: the answer is a call, with or without its tag.</summary>
    public static ToolCallFormat Llama3Json { get; } = new("llama3_json", "", "{\"name\": \"", "\", \"parameters\": ", "}", "", "", AllowsSeveral: false);

    public static IReadOnlyList<ToolCallFormat> All { get; } = [DeepSeekV3, DeepSeekV31, Hermes, Llama3Json];

    /// <summary>Markers in its calls that some tokenizers have as single tokens.</summary>
    public IReadOnlyList<string> Markers => Name switch
    {
        "hermes" => ["<tool_call>", "</tool_call>"],
        "llama3_json" => ["<|python_tag|>"],
        _ => ["<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"],
    };

    /// <summary>The format of a model, by what its template writes of calls and else by what its vocabulary has for them; null where neither knows of tools.</summary>
    public static ToolCallFormat? Detect(ITokenizer tokenizer, IChatTemplate? template)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        string source = template?.Source ?? "";
        if (source.Contains("<｜tool▁calls▁begin｜>", StringComparison.Ordinal))
            return source.Contains("```json", StringComparison.Ordinal) ? DeepSeekV3 : DeepSeekV31;
        if (source.Contains("<tool_call>", StringComparison.Ordinal))
            return Hermes;
        if (source.Contains("<|python_tag|>", StringComparison.Ordinal) || (source.Contains("<|start_header_id|>", StringComparison.Ordinal) && source.Contains("\"parameters\":", StringComparison.Ordinal)))
            return Llama3Json;
        return template is null ? null
            : tokenizer.TryGetId("<｜tool▁calls▁begin｜>", out _) ? DeepSeekV3
            : tokenizer.TryGetId("<tool_call>", out _) ? Hermes
            : tokenizer.TryGetId("<|python_tag|>", out _) || tokenizer.TryGetId("<|eom_id|>", out _) ? Llama3Json
            : null;
    }

    /// <summary>A parser of one answer.</summary>
    /// <param name="createId">Makes a call's id; null for random ones.</param>
    public ToolCallParser CreateParser(Func<string>? createId = null) => Name switch
    {
        "hermes" => new HermesToolCallParser(createId),
        "llama3_json" => new LlamaToolCallParser(createId),
        _ => new DeepSeekToolCallParser(createId),
    };
}
