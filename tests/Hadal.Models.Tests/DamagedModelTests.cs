using System.Diagnostics;
using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Gguf;
using Hadal.Formats.Safetensors;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Models.Loading;
using Hadal.Numerics;
using Hadal.TestKit.Gguf;

namespace Hadal.Models.Tests;

/// <summary>
/// One byte changed, or the file cut: a checkpoint is opened, loaded and run, or refused; nothing else. (The readers alone get thousands of such
/// files in Hadal.Formats.Tests.)
/// </summary>
public sealed class DamagedModelTests : IDisposable
{
    private const int Rounds = 60;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-damaged-");

    [Theory]
    [InlineData("llama", DType.Q8_0, 1)]
    [InlineData("deepseek_v3", DType.Bf16, 2)]
    [InlineData("qwen2", DType.F16, 3)]
    public void Gguf_Damaged_RunsOrIsRefused(string family, DType type, int seed)
    {
        string golden = Path.Combine(AppContext.BaseDirectory, "goldens", "models", family);
        string source = Directory.CreateDirectory(Path.Combine(_folder.FullName, "hf")).FullName;
        File.Copy(Path.Combine(golden, "model.safetensors"), Path.Combine(source, "model.safetensors"));
        byte[] valid;
        using (SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(source))
        using (JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(golden, "config.json"))))
        {
            valid = GgufConverter.Convert(checkpoint, config.RootElement, new GgufConversion { WeightType = type }).ToBytes();
        }

        string path = Path.Combine(_folder.FullName, "model.gguf");
        File.WriteAllBytes(path, valid);
        int header;
        using (GgufFile file = GgufFile.Open(path))
        {
            header = (int)file.Tensors.Min(static t => t.Offset);
        }

        Damage(path, path, valid, header, seed);
    }

    [Theory]
    [InlineData("llama", 4)]
    [InlineData("deepseek_v3_fp8", 5)]
    [InlineData("deepseek_v2_lite", 6)]
    public void Safetensors_Damaged_RunsOrIsRefused(string family, int seed)
    {
        string golden = Path.Combine(AppContext.BaseDirectory, "goldens", "models", family);
        byte[] valid = File.ReadAllBytes(Path.Combine(golden, "model.safetensors"));
        File.Copy(Path.Combine(golden, "config.json"), Path.Combine(_folder.FullName, "config.json"));
        Damage(_folder.FullName, Path.Combine(_folder.FullName, "model.safetensors"), valid, 8 + (int)BitConverter.ToUInt64(valid), seed);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static void Damage(string model, string file, byte[] valid, int header, int seed)
    {
        var random = new Random(seed);
        File.WriteAllBytes(file, valid);
        Run(model);
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] bytes = [.. valid];
            if (round % 4 == 3)
            {
                bytes = bytes[..random.Next(bytes.Length)];
            }
            else
            {
                // Mostly in the header, where bytes mean something.
                int at = random.Next(round % 4 == 2 ? bytes.Length : header);
                bytes[at] ^= (byte)random.Next(1, 256);
            }

            File.WriteAllBytes(file, bytes);
            var clock = Stopwatch.StartNew();
            try
            {
                Run(model);
            }
            catch (HadalException e)
            {
                refused++;
                // A tensor that is missing is so in all files: then the folder is named.
                Assert.Contains(model, e.Message, StringComparison.Ordinal);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}, round {round}: {e.GetType().Name} instead of a refusal", e);
            }

            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"seed {seed}, round {round}: took {clock.Elapsed}");
        }

        Assert.InRange(refused, Rounds / 4, Rounds - 1);
    }

    private static void Run(string path)
    {
        using Checkpoint checkpoint = Checkpoint.Open(path);
        using LoadedModel model = ModelLoader.Load(checkpoint.Config, checkpoint.Tensors, new LoadOptions
        {
            Cpu = new CpuOptions { Threads = 1, Pack = true },
            KvMemoryBytes = 1 << 20,
            MaxSequences = 1,
        });
        using var batch = new StepBatch(16);
        batch.Reset(1, 1);
        batch.AddSequence([1, 2, 3], 0, [0], LogitsWanted.Last);
        model.Runner.Run(batch);
    }
}
