using System.Text;
using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Formats.Chat;

/// <summary>Finds a checkpoint's chat template.</summary>
public static class ChatTemplateLoader
{
    private const string DefaultName = "default";
    private const string ToolUseName = "tool_use";

    /// <summary>
    /// The folder's template: <c>chat_template.jinja</c>, else <c>chat_template.json</c>, else the key in <c>tokenizer_config.json</c>;
    /// null when the model has none.
    /// </summary>
    /// <param name="specialTokens">Variables such as <c>bos_token</c>; null: those of <c>tokenizer_config.json</c>.</param>
    /// <exception cref="HadalException">A file or the template is broken.</exception>
    public static IChatTemplate? FromFolder(string folder, IReadOnlyDictionary<string, string>? specialTokens = null, TimeProvider? time = null)
        => From(new FolderCheckpointFiles(folder), specialTokens, time);

    /// <summary>As <see cref="FromFolder"/>, wherever the files lie.</summary>
    public static IChatTemplate? From(ICheckpointFiles files, IReadOnlyDictionary<string, string>? specialTokens = null, TimeProvider? time = null)
    {
        specialTokens ??= TokenizerConfig.From(files).SpecialTokens;
        const string jinja = "chat_template.jinja";
        if (files.Exists(jinja))
        {
            string source = Encoding.UTF8.GetString(files.Read(jinja, JsonField.MaxFileBytes));
            return new ChatTemplate(source, specialTokens, files.PathOf(jinja), time);
        }

        foreach (string name in (ReadOnlySpan<string>)["chat_template.json", "tokenizer_config.json"])
        {
            if (!files.Exists(name)) continue;
            string path = files.PathOf(name);
            using JsonDocument document = JsonField.Parse(path, files.Read(name, JsonField.MaxFileBytes));
            if (JsonField.Root(document, path).Find("chat_template") is { } field) return FromField(field, specialTokens, time);
        }

        return null;
    }

    /// <summary>The template of a GGUF file (<c>tokenizer.chat_template</c>); null when it has none.</summary>
    public static IChatTemplate? FromGguf(string? source, IReadOnlyDictionary<string, string> specialTokens, TimeProvider? time = null) =>
        source is null ? null : new ChatTemplate(source, specialTokens, "tokenizer.chat_template of the GGUF file", time);

    private static IChatTemplate FromField(JsonField field, IReadOnlyDictionary<string, string> specialTokens, TimeProvider? time)
    {
        if (field.Element.ValueKind == JsonValueKind.String) return new ChatTemplate(field.String(), specialTokens, $"{field.File}: {field.Path}", time);
        ChatTemplate? fallback = null, toolUse = null;
        foreach (JsonField item in field.Items())
        {
            string name = item["name"].String();
            if (name is not (DefaultName or ToolUseName)) continue;
            var template = new ChatTemplate(item["template"].String(), specialTokens, $"{item.File}: {item.Path}", time);
            if (name == DefaultName) fallback = template;
            else toolUse = template;
        }

        if (fallback is null) throw field.Wrong($"a string, or a list with a template named '{DefaultName}'");
        return toolUse is null ? fallback : new ToolAwareChatTemplate(fallback, toolUse);
    }
}
