using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Formats.Safetensors;
using Hadal.TestKit.Gguf;

namespace Hadal.Cli.Tests;

/// <summary>Damaged files through every verb that reads them: soon, one clear line with the file's name and what is wrong with it, and no stack trace.</summary>
public sealed class DamagedFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-damaged-");

    public static TheoryData<string, string> GgufDamages() => new()
    {
        { "cut to 3", "does not begin with 'GGUF'" },
        { "cut to 20", "" },
        { "cut to 200", "" },
        { "cut in the tensor table", "" },
        { "cut in the last tensor", "" },
        { "byte 4 is 9", "version" },
        { "a million pairs", "" },
        { "a tensor type that is none", "blk.0.attn_q.weight" },
        { "a tensor beyond the end", "blk.0.attn_q.weight" },
        { "no block_count", "llama.block_count" },
        { "an architecture nobody knows", "mamba" },
    };

    [Theory]
    [MemberData(nameof(GgufDamages))]
    public async Task Gguf_Damaged_IsNamedByEveryVerb(string damage, string mention)
    {
        byte[] bytes = Gguf();
        int table = bytes.AsSpan().IndexOf("blk.0.attn_q.weight"u8);
        // A name is followed by the number of dimensions (2), each of 8 bytes, then type and offset.
        int type = table + "blk.0.attn_q.weight".Length + 4 + 16;
        switch (damage)
        {
            case "byte 4 is 9":
                bytes[4] = 9;
                break;
            case "a million pairs":
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), 1_000_000);
                break;
            case "a tensor type that is none":
                bytes[type] = 250;
                break;
            case "a tensor beyond the end":
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(type + 4), 1UL << 40);
                break;
            case "no block_count":
                "llama.block_kount"u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf("llama.block_count"u8)));
                break;
            case "an architecture nobody knows":
                "mamba"u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf("llama"u8)));
                break;
            default:
                int keep = damage switch
                {
                    "cut in the tensor table" => table + 10,
                    "cut in the last tensor" => bytes.Length - 100,
                    _ => int.Parse(damage.Split(' ')[^1]),
                };
                bytes = bytes[..keep];
                break;
        }

        string path = Path.Combine(_folder.FullName, "damaged.gguf");
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
        foreach (string[] command in Commands(path).Append(await TokenizeAsync(path)))
        {
            if (damage == "a tensor type that is none" && command[0] is ("inspect" or "tokenize"))
            {
                // Listed as it is, and no matter to a tokenizer.
                continue;
            }

            await RefusesAsync(command, "damaged.gguf", mention);
        }
    }

    public static TheoryData<string, string> SafetensorsDamages() => new()
    {
        { "empty", "" },
        { "cut in the header", "" },
        { "cut in the last tensor", "" },
        { "a header of 2^60 bytes", "header" },
        { "a header that is no JSON", "" },
        { "a type that is none", "lm_head.weight" },
        { "offsets beyond the end", "lm_head.weight" },
        { "offsets backwards", "lm_head.weight" },
        { "a negative dimension", "lm_head.weight" },
        { "a shape of another size", "lm_head.weight" },
    };

    [Theory]
    [MemberData(nameof(SafetensorsDamages))]
    public async Task Safetensors_Damaged_AreNamedByEveryVerb(string damage, string mention)
    {
        File.Copy(Path.Combine(Repository.Model("llama"), "config.json"), Path.Combine(_folder.FullName, "config.json"));
        byte[] valid = await File.ReadAllBytesAsync(Path.Combine(Repository.Model("llama"), "model.safetensors"), TestContext.Current.CancellationToken);
        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(valid);
        JsonNode header = JsonNode.Parse(valid.AsSpan(8, length))!;
        JsonNode tensor = header["lm_head.weight"]!;
        byte[] bytes;
        switch (damage)
        {
            case "empty":
                bytes = [];
                break;
            case "cut in the header":
                bytes = valid[..(length / 2)];
                break;
            case "cut in the last tensor":
                bytes = valid[..^10];
                break;
            case "a header of 2^60 bytes":
                bytes = [.. valid];
                BinaryPrimitives.WriteUInt64LittleEndian(bytes, 1UL << 60);
                break;
            case "a header that is no JSON":
                bytes = [.. valid];
                bytes[9] = (byte)'}';
                break;
            default:
                long begin = tensor["data_offsets"]![0]!.GetValue<long>();
                long end = tensor["data_offsets"]![1]!.GetValue<long>();
                (string key, JsonNode value) = damage switch
                {
                    "a type that is none" => ("dtype", (JsonNode)"F13"),
                    "offsets beyond the end" => ("data_offsets", new JsonArray(begin + (1L << 40), end + (1L << 40))),
                    "offsets backwards" => ("data_offsets", new JsonArray(end, begin)),
                    "a negative dimension" => ("shape", new JsonArray(-256, -64)),
                    _ => ("shape", new JsonArray(256, 65)),
                };
                tensor[key] = value;
                byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
                byte[] prefix = new byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)json.Length);
                bytes = [.. prefix, .. json, .. valid[(8 + length)..]];
                break;
        }

        await File.WriteAllBytesAsync(Path.Combine(_folder.FullName, "model.safetensors"), bytes, TestContext.Current.CancellationToken);
        foreach (string[] command in Commands(_folder.FullName))
        {
            await RefusesAsync(command, "model.safetensors", mention);
        }
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("{", "")]
    [InlineData("null", "")]
    [InlineData("{\"model_type\": \"llama\"}", "hidden_size")]
    [InlineData("{\"model_type\": 7}", "model_type")]
    [InlineData("\xFF\xFE{", "")]
    public async Task Config_Damaged_IsNamedByEveryVerb(string text, string mention)
    {
        File.Copy(Path.Combine(Repository.Model("llama"), "model.safetensors"), Path.Combine(_folder.FullName, "model.safetensors"));
        await File.WriteAllBytesAsync(Path.Combine(_folder.FullName, "config.json"), Encoding.Latin1.GetBytes(text), TestContext.Current.CancellationToken);
        foreach (string[] command in Commands(_folder.FullName))
        {
            await RefusesAsync(command, "config.json", mention);
        }
    }

    [Theory]
    [InlineData("tokenizer.json", "", "")]
    [InlineData("tokenizer.json", "cut", "")]
    [InlineData("tokenizer.json", "[]", "")]
    [InlineData("tokenizer.json", "{}", "model")]
    [InlineData("tokenizer.json", "{\"model\": {\"type\": \"WordPiece\"}}", "WordPiece")]
    [InlineData("tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}}", "vocab")]
    [InlineData("tokenizer.json", null, "")]
    [InlineData("tokenizer_config.json", "cut", "")]
    [InlineData("tokenizer_config.json", "[]", "")]
    public async Task Tokenizer_Damaged_IsNamedByVerbsThatNeedIt(string file, string? text, string mention)
    {
        string demo = Path.Combine(Repository.Root, "models", "demo");
        foreach (string source in Directory.GetFiles(demo))
        {
            File.CreateSymbolicLink(Path.Combine(_folder.FullName, Path.GetFileName(source)), source);
        }

        string path = Path.Combine(_folder.FullName, file);
        File.Delete(path);
        if (text is not null)
        {
            string whole = await File.ReadAllTextAsync(Path.Combine(demo, file), TestContext.Current.CancellationToken);
            await File.WriteAllTextAsync(path, text == "cut" ? whole[..(whole.Length / 2)] : text, TestContext.Current.CancellationToken);
        }

        string prose = Path.Combine(_folder.FullName, "prose.txt");
        await File.WriteAllTextAsync(prose, "Once upon a time there was a dog.", TestContext.Current.CancellationToken);
        await RefusesAsync(await TokenizeAsync(_folder.FullName), file, mention);
        await RefusesAsync(["run", _folder.FullName, "--prompt", "abc"], file, mention);
        if (file == "tokenizer.json")
        {
            await RefusesAsync(["eval", _folder.FullName, "--text", prose], file, mention);
        }
    }

    [Theory]
    [InlineData("empty", "")]
    [InlineData("no magic", "magic")]
    [InlineData("cut in the header", "")]
    [InlineData("cut in the data", "shape")]
    [InlineData("floats", "descr")]
    [InlineData("fortran", "fortran_order")]
    [InlineData("cube", "dimensions")]
    [InlineData("too large", "element 1")]
    public async Task Npy_Damaged_IsNamed(string damage, string mention)
    {
        byte[] bytes = damage switch
        {
            "empty" => [],
            "no magic" => [1, .. Npy("<i4", "False", "(4,)", 16)[1..]],
            "cut in the header" => Npy("<i4", "False", "(4,)", 16)[..40],
            "cut in the data" => Npy("<i4", "False", "(4,)", 15),
            "floats" => Npy("<f4", "False", "(4,)", 16),
            "fortran" => Npy("<i4", "True", "(2, 2)", 16),
            "cube" => Npy("<i4", "False", "(2, 2, 1)", 16),
            _ => [.. Npy("<i8", "False", "(2,)", 8), .. BitConverter.GetBytes(1L << 40)],
        };
        string path = Path.Combine(_folder.FullName, "ids.npy");
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
        await RefusesAsync(["eval", "--ids", path], "ids.npy", mention);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static async Task RefusesAsync(string[] command, params string[] mentions)
    {
        var clock = Stopwatch.StartNew();
        HadalProcess run = await HadalProcess.RunAsync(command);
        run.ExpectError(mentions);
        // Seconds even on a machine that does other things as well.
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    private string[][] Commands(string model) =>
    [
        ["inspect", model],
        ["logits", model, "--input-ids", Path.Combine(Repository.Model("llama"), "expected.safetensors"), "--output", Path.Combine(_folder.FullName, "out")],
        ["eval", model, "--ids", Path.Combine(Repository.Goldens, "demo", "heldout_ids.npy")],
        ["run", model, "--prompt", "abc"],
    ];

    /// <summary>Of a folder it reads the tokenizer's files only.</summary>
    private async Task<string[]> TokenizeAsync(string model)
    {
        string lines = Path.Combine(_folder.FullName, "lines.jsonl");
        await File.WriteAllTextAsync(lines, "{\"text\": \"abc\"}\n", TestContext.Current.CancellationToken);
        return ["tokenize", model, "--jsonl", lines];
    }

    private byte[] Gguf()
    {
        string source = Path.Combine(_folder.FullName, "hf");
        Directory.CreateDirectory(source);
        File.Copy(Path.Combine(Repository.Model("llama"), "model.safetensors"), Path.Combine(source, "model.safetensors"));
        using SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(source);
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Model("llama"), "config.json")));
        return GgufConverter.Convert(checkpoint, config.RootElement, new GgufConversion()).ToBytes();
    }

    private static byte[] Npy(string descr, string fortran, string shape, int dataBytes)
    {
        string header = $"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".PadRight(117) + "\n";
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header), .. new byte[dataBytes]];
    }
}
