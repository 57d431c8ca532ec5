using System.Text.Json;
using Hadal.Formats.Checkpoints;

namespace Hadal.Formats.Tokenization;

/// <summary>The part of <c>tokenizer_config.json</c> that says which tokens play which part.</summary>
public sealed class TokenizerConfig
{
    private static readonly string[] Names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private TokenizerConfig(string file) => File = file;

    /// <summary>Where it was read from, for messages.</summary>
    public string File { get; }

    /// <summary>By their names in the file (<c>bos_token</c>, <c>eos_token</c>, …): what chat templates know as variables too.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; private set; } = new Dictionary<string, string>();

    public bool AddBosToken { get; private set; }

    public bool AddEosToken { get; private set; }

    /// <summary>Reads <c>tokenizer_config.json</c>; an absent file is an empty one.</summary>
    public static TokenizerConfig From(ICheckpointFiles files)
    {
        const string name = "tokenizer_config.json";
        string path = files.PathOf(name);
        var config = new TokenizerConfig(path);
        if (!files.Exists(name)) return config;
        using JsonDocument document = JsonField.Parse(path, files.Read(name, JsonField.MaxFileBytes));
        JsonField root = JsonField.Root(document, path);
        var tokens = new Dictionary<string, string>();
        foreach (string token in Names)
        {
            if (root.Find(token) is not { } field) continue;
            // Older files write an AddedToken object, newer ones its text.
            tokens[token] = field.Element.ValueKind == JsonValueKind.Object ? field["content"].String() : field.String();
        }

        config.SpecialTokens = tokens;
        config.AddBosToken = root.Find("add_bos_token")?.Bool() ?? false;
        config.AddEosToken = root.Find("add_eos_token")?.Bool() ?? false;
        return config;
    }
}
