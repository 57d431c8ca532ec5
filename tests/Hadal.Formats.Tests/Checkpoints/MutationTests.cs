using System.Text.Json;
using Hadal.Formats.Config;
using Hadal.Formats.Gguf;
using Hadal.Formats.Npy;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;
using Hadal.TestKit.Gguf;

namespace Hadal.Formats.Tests.Checkpoints;

/// <summary>Whatever bytes of a valid file are changed, opening it and touching all of it succeeds or is refused; nothing else.</summary>
public sealed unsafe class MutationTests : IDisposable
{
    private static readonly byte[][] _nasty = [[0], [1], [0x7F], [0x80], [0xFF], [(byte)'"'], [(byte)'{'], [(byte)'9'], [(byte)'\\'], BitConverter.GetBytes(ulong.MaxValue), BitConverter.GetBytes(long.MaxValue), BitConverter.GetBytes(1UL << 32), BitConverter.GetBytes(uint.MaxValue), BitConverter.GetBytes(0UL)];

    private readonly TestFiles _files = new();

    private ulong _touched;

    [Fact]
    public void Safetensors_MutatedHeader_IsReadOrRefused()
    {
        byte[] valid = File.ReadAllBytes(Path.Combine(TestFiles.Golden("qwen2"), "model.safetensors"));
        int header = 8 + (int)BitConverter.ToUInt64(valid);
        Mutate("t.safetensors", valid, header, 2500, 1, path =>
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            foreach (SafetensorsTensor t in file.Tensors)
            {
                Assert.True(file.TryGet(t.Name, out StoredTensor? tensor));
                Touch(tensor);
            }
        });
    }

    [Theory]
    [InlineData("deepseek_v3", 2)]
    [InlineData("llama", 3)]
    public void Gguf_MutatedHeader_IsReadOrRefused(string family, int seed)
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden(family));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestFiles.Golden(family), "config.json")));
        byte[] valid = GgufConverter.Convert(source, config.RootElement, new GgufConversion { WeightType = DType.Q8_0 })
            .Add("tokenizer.ggml.tokens", ["a", "b", "c"]).Add("tokenizer.ggml.scores", [1f, 2f]).ToBytes();
        string path = _files.Write("t.gguf", valid);
        int header;
        using (GgufFile file = GgufFile.Open(path))
        {
            header = (int)file.Tensors.Min(static t => t.Offset);
        }

        Mutate("t.gguf", valid, header, 1200, seed, static (p, test) =>
        {
            using GgufCheckpoint gguf = GgufCheckpoint.Open(p);
            foreach (GgufValue v in gguf.Files[0].Metadata.Values)
            {
                test._touched += (ulong)v.ToString().Length;
                if (v.Type == GgufValueType.Array && v.ElementType == GgufValueType.String)
                {
                    test._touched += (ulong)v.AsStrings().Length;
                }
            }

            foreach (string name in gguf.Names)
            {
                try
                {
                    Assert.True(gguf.TryGet(name, out StoredTensor? tensor));
                    test.Touch(tensor);
                }
                catch (HadalException)
                {
                    // A type that cannot be read is refused only here.
                }
            }
        });
    }

    [Fact]
    public void Config_Mutated_IsReadOrRefused()
    {
        foreach (string family in (string[])["deepseek_v3_fp8", "llama", "qwen2"])
        {
            byte[] valid = File.ReadAllBytes(Path.Combine(TestFiles.Golden(family), "config.json"));
            Mutate("config.json", valid, valid.Length, 2500, 4, static (p, _) => ModelConfigReader.FromJson(File.ReadAllBytes(p), File.ReadAllBytes(p)));
        }
    }

    [Fact]
    public void Index_Mutated_IsReadOrRefused()
    {
        foreach (string file in Directory.GetFiles(TestFiles.Demo, "*.safetensors"))
        {
            File.CreateSymbolicLink(Path.Combine(_files.Folder, Path.GetFileName(file)), file);
        }

        byte[] valid = File.ReadAllBytes(Path.Combine(TestFiles.Demo, SafetensorsCheckpoint.IndexName));
        Mutate(SafetensorsCheckpoint.IndexName, valid, valid.Length, 250, 5, path => SafetensorsCheckpoint.Open(Path.GetDirectoryName(path)!).Dispose());
    }

    [Fact]
    public void Npy_Mutated_IsReadOrRefused()
    {
        byte[] valid = File.ReadAllBytes(Path.Combine(TestFiles.Root, "tests", "goldens", "demo", "heldout_ids.npy"));
        Mutate("a.npy", valid, 128, 2000, 6, static (p, _) => NpyArray.Read(p));
    }

    public void Dispose()
    {
        Assert.True(_touched < ulong.MaxValue);
        _files.Dispose();
    }

    private void Touch(StoredTensor t)
    {
        Assert.True(t.ByteLength >= 0);
        for (long i = 0; i < t.ByteLength; i += 997)
        {
            _touched += t.Data[i];
        }

        if (t.ByteLength > 0)
        {
            _touched += t.Data[t.ByteLength - 1];
        }
    }

    private void Mutate(string name, byte[] valid, int range, int rounds, int seed, Action<string> read)
        => Mutate(name, valid, range, rounds, seed, (p, _) => read(p));

    private void Mutate(string name, byte[] valid, int range, int rounds, int seed, Action<string, MutationTests> read)
    {
        var random = new Random(seed);
        string path = _files.Write(name, valid);
        read(path, this);
        int refused = 0;
        bool wasCut = false;
        for (int round = 0; round < rounds; round++)
        {
            byte[] bytes = [.. valid];
            int changes = 1 + random.Next(3);
            for (int i = 0; i < changes; i++)
            {
                int at = random.Next(range);
                if (random.Next(2) == 0)
                {
                    bytes[at] = (byte)random.Next(256);
                }
                else
                {
                    byte[] nasty = _nasty[random.Next(_nasty.Length)];
                    nasty.AsSpan(0, Math.Min(nasty.Length, bytes.Length - at)).CopyTo(bytes.AsSpan(at));
                }
            }

            // Only what changed is written: whole files would be gigabytes in all.
            using (FileStream stream = File.OpenWrite(path))
            {
                stream.Write(bytes, 0, Math.Min(bytes.Length, range + 8));
                if (wasCut)
                {
                    stream.Write(bytes.AsSpan(Math.Min(bytes.Length, range + 8)));
                }

                wasCut = random.Next(10) == 0;
                stream.SetLength(wasCut ? random.Next(bytes.Length) : bytes.Length);
            }

            try
            {
                read(path, this);
            }
            catch (HadalException e)
            {
                refused++;
                Assert.NotEmpty(e.Message);
            }
            catch (Exception e) when (e is not Xunit.Sdk.IAssertionException)
            {
                throw new InvalidOperationException($"seed {seed}, round {round}: {e.GetType().Name} instead of a refusal", e);
            }
        }

        // Otherwise the mutations do nothing and the test proves nothing.
        Assert.True(refused > rounds / 10, $"only {refused} of {rounds} were refused");
    }
}
