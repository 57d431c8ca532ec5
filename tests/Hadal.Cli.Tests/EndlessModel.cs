using System.Text.Json.Nodes;

namespace Hadal.Cli.Tests;

/// <summary>The demo with another end token than it was taught: its answers end at the context's end only, so that there is time to interrupt one.</summary>
internal sealed class EndlessModel : IDisposable
{
    private static readonly string _source = Path.Combine(Repository.Root, "models", "demo");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-endless-");

    public EndlessModel()
    {
        foreach (string file in Directory.GetFiles(_source))
        {
            string copy = Path.Combine(_folder.FullName, Path.GetFileName(file));
            if (Path.GetFileName(file) is not ("config.json" or "generation_config.json" or "tokenizer_config.json"))
            {
                File.CreateSymbolicLink(copy, file);
                continue;
            }

            JsonNode json = JsonNode.Parse(File.ReadAllText(file))!;
            if (json["eos_token_id"] is not null)
            {
                json["eos_token_id"] = 2;
            }

            if (json["eos_token"] is not null)
            {
                json["eos_token"] = json["pad_token"]!.GetValue<string>();
            }

            File.WriteAllText(copy, json.ToJsonString());
        }
    }

    public string Folder => _folder.FullName;

    /// <summary>Slow on purpose: seconds for a full context.</summary>
    public static string[] Slowly => ["--threads", "1", "--fusion", "none", "--dtype", "f32", "--temperature", "1", "--seed", "1"];

    public void Dispose() => _folder.Delete(recursive: true);
}
