using System.Text.Json;

namespace Hadal.Formats.Tests.Tokenization;

/// <summary>Where the tests' own files lie.</summary>
internal static class TestFiles
{
    public static readonly string Repository = FindRepository();

    public static string Demo => Path.Combine(Repository, "models/demo");

    public static string Golden(string name) => Path.Combine(Repository, "tests/goldens/tokenizers", name);

    /// <summary>The folder of a fetched tokenizer; the test fails when it is not there.</summary>
    public static string Tokenizer(string name)
    {
        string folder = Path.Combine(Repository, "artifacts/test-data/tokenizers", name);
        Assert.True(File.Exists(Path.Combine(folder, "tokenizer.json")), $"{folder}/tokenizer.json is absent: run eng/fetch-tokenizers.sh first.");
        return folder;
    }

    public static IEnumerable<JsonElement> ReadLines(string path)
    {
        foreach (string line in File.ReadLines(path))
        {
            if (line.Length == 0) continue;
            using JsonDocument document = JsonDocument.Parse(line);
            yield return document.RootElement.Clone();
        }
    }

    private static string FindRepository()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Hadal.slnx"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("the repository's root was not found above the test binaries");
    }
}
