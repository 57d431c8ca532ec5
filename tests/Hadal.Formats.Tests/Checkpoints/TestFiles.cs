using System.Buffers.Binary;
using System.Text;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Checkpoints;

/// <summary>Where the goldens are, and a folder that goes away with the test.</summary>
internal sealed class TestFiles : IDisposable
{
    public static readonly string[] Goldens = ["llama", "qwen2", "qwen3", "deepseek_v2", "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_fp8"];

    public static string Root { get; } = FindRoot();

    public string Folder { get; } = Directory.CreateTempSubdirectory("hadal-formats-").FullName;

    public static string Golden(string name) => Path.Combine(Root, "tests", "goldens", "models", name);

    public static string Demo => Path.Combine(Root, "models", "demo");

    public string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    /// <summary>A safetensors file of a header as given and so many bytes of data.</summary>
    public static byte[] Safetensors(string header, int dataBytes)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)json.Length);
        json.CopyTo(file, 8);
        for (int i = 8 + json.Length; i < file.Length; i++)
        {
            file[i] = (byte)i;
        }

        return file;
    }

    /// <summary>Asserts a refusal whose message says each of the given things.</summary>
    public static void Refuses(Action action, params string[] said)
    {
        HadalException e = Assert.ThrowsAny<HadalException>(action);
        foreach (string s in said)
        {
            Assert.Contains(s, e.Message, StringComparison.Ordinal);
        }
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static string FindRoot()
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !File.Exists(Path.Combine(at, "Hadal.slnx")))
        {
            at = Path.GetDirectoryName(at);
        }

        return at ?? throw new InvalidOperationException("the tests must run from within the repository");
    }
}
