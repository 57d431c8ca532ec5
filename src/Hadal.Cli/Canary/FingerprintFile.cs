using System.Text.Json;
using Hadal.Cli.Output;
using Hadal.Numerics;

namespace Hadal.Cli.Canary;

/// <summary>Fingerprints as JSON files.</summary>
internal static class FingerprintFile
{
    private const long MaxBytes = 4 << 20;
    private const string DemoResource = "demo.canary.json";

    public static Fingerprint Read(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists || file.Length > MaxBytes)
        {
            throw new HadalException($"--canary {path}: {(file.Exists ? $"has {file.Length} bytes, more than a fingerprint has" : "is not there")}; hadal canary --write makes one.");
        }

        return Parse(File.ReadAllBytes(path), path);
    }

    /// <summary>The bundled model's.</summary>
    public static Fingerprint ReadDemo()
    {
        using Stream stream = typeof(FingerprintFile).Assembly.GetManifestResourceStream(DemoResource)
            ?? throw new InvalidOperationException($"the resource {DemoResource} is not in this file");
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return Parse(bytes.ToArray(), DemoResource);
    }

    /// <summary>Writes beside and renames, so that a full disk leaves what was there.</summary>
    public static void Write(string path, Fingerprint fingerprint)
    {
        string partial = path + ".partial";
        File.WriteAllBytes(partial, [.. JsonSerializer.SerializeToUtf8Bytes(fingerprint, CliJson.Default.Fingerprint), (byte)'\n']);
        File.Move(partial, path, overwrite: true);
    }

    internal static Fingerprint Parse(byte[] bytes, string where)
    {
        Fingerprint? f;
        try
        {
            f = JsonSerializer.Deserialize(bytes, CliJson.Default.Fingerprint);
        }
        catch (JsonException e)
        {
            throw new HadalException($"{where}: is no fingerprint: {e.Message}", e);
        }

        if (f?.Format != Fingerprint.CurrentFormat)
        {
            throw new HadalException($"{where}: is no fingerprint of this version; its format is '{f?.Format}', expected '{Fingerprint.CurrentFormat}'.");
        }

        bool whole = f.ModelType is not null && f.Dtype is not null && f.Tokens is { Count: > 0 } && f.Places is { Count: > 0 }
            && f.Places.All(p => p is { Ids.Count: > 0, Logits.Count: > 0 } && p.Ids.Count == p.Logits.Count && p.Position >= 0 && p.Position < f.Tokens.Count
                && p.Ids.All(id => id >= 0 && id < f.VocabSize));
        return whole ? f : throw new HadalException($"{where}: is a damaged fingerprint: places, ids and logits do not fit each other.");
    }
}
