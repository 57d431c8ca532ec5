using System.Diagnostics;
using System.Text.Json;
using Hadal.Cli.Session;
using Hadal.Demo;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Safetensors;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Cli.Bench;

/// <summary>
/// Times <c>hadal run</c> from the start of its process over a checkpoint on disk, whose made-up weights have just been written and so lie in the page cache. Its tokenizer is
/// the bundled model's, which has fewer tokens than the model: what the token says is nothing, when it comes is what counts.
/// </summary>
internal sealed class FirstTokenBench : IDisposable
{
    private const long ShardBytes = 2L << 30;
    private const int MaxFileBytes = 64 << 20;

    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(5);

    private readonly string _folder;

    /// <summary>Writes the checkpoint.</summary>
    /// <param name="config">A Qwen2 shape.</param>
    /// <exception cref="HadalException">The disk has no room for it.</exception>
    public FirstTokenBench(ModelConfig config)
    {
        _folder = Directory.CreateTempSubdirectory("hadal-first-token-").FullName;
        try
        {
            using SyntheticTensors source = ModelSession.Synthesize(config, "bf16");
            long bytes = source.List().Sum(t => t.ByteLength);
            long free = new DriveInfo(_folder).AvailableFreeSpace;
            if (free < bytes + ShardBytes)
            {
                throw new HadalException($"{_folder} has {free >> 30} GiB free and the checkpoint takes {bytes >> 30}: set TMPDIR to a folder with room, or leave this case out with --only.");
            }

            WriteConfig(config);
            using Checkpoint demo = DemoModel.Open();
            foreach (string name in (string[])["tokenizer.json", "tokenizer_config.json"])
            {
                File.WriteAllBytes(Path.Combine(_folder, name), demo.Files!.Read(name, MaxFileBytes));
            }

            WriteWeights(source);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Seconds from the start of a process to its end, one token answered.</summary>
    /// <param name="device">The card.</param>
    /// <param name="keptKernels">With the kernels of the call before; else they are assembled anew.</param>
    /// <exception cref="HadalException">The process failed.</exception>
    public double Run(int device, bool keptKernels, CancellationToken cancellationToken)
    {
        string kernels = Path.Combine(_folder, "kernels");
        if (!keptKernels && Directory.Exists(kernels))
        {
            Directory.Delete(kernels, recursive: true);
        }

        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["run", _folder, "--device", $"cuda:{device}", "--raw", "--prompt", "Once upon a time", "--max-tokens", "1", "--temperature", "0"])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["HADAL_KERNEL_CACHE"] = kernels;
        // The driver keeps what it assembled too; anew shall mean anew.
        start.Environment["CUDA_CACHE_DISABLE"] = "1";
        var clock = Stopwatch.StartNew();
        using Process process = Process.Start(start) ?? throw new HadalException($"{start.FileName} did not start.");
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        Task<string> errors = process.StandardError.ReadToEndAsync(cancellationToken);
        bool ended = process.WaitForExit(_limit);
        double seconds = clock.Elapsed.TotalSeconds;
        if (!ended)
        {
            process.Kill(entireProcessTree: true);
            throw new HadalException($"hadal run gave no token within {_limit.TotalSeconds:0} s.");
        }

        if (process.ExitCode != 0)
        {
            throw new HadalException($"hadal run ended with {process.ExitCode}: {errors.GetAwaiter().GetResult().Trim()}");
        }

        _ = output.GetAwaiter().GetResult();
        return seconds;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void WriteConfig(ModelConfig config)
    {
        using FileStream file = File.Create(Path.Combine(_folder, ModelConfigReader.ConfigName));
        using var json = new Utf8JsonWriter(file);
        json.WriteStartObject();
        json.WriteString("model_type", config.ModelType);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("num_hidden_layers", config.NumHiddenLayers);
        json.WriteNumber("num_attention_heads", config.NumAttentionHeads);
        json.WriteNumber("num_key_value_heads", config.NumKeyValueHeads);
        json.WriteNumber("max_position_embeddings", config.MaxPositionEmbeddings);
        json.WriteNumber("rms_norm_eps", config.RmsNormEps);
        json.WriteNumber("rope_theta", config.Rope.Theta);
        json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
        json.WriteEndObject();
    }

    private void WriteWeights(SyntheticTensors source)
    {
        List<StoredTensor> shard = [];
        long held = 0;
        int number = 0;
        foreach ((string name, _, _, long bytes) in source.List())
        {
            if (held > 0 && held + bytes > ShardBytes)
            {
                WriteShard();
            }

            shard.Add(source.TryGet(name, out StoredTensor? tensor) ? tensor : throw new HadalException($"there are no made-up weights for {name}"));
            held += bytes;
        }

        WriteShard();

        void WriteShard()
        {
            SafetensorsWriter.Write(Path.Combine(_folder, $"model-{++number:00000}.safetensors"), shard);
            foreach (StoredTensor tensor in shard)
            {
                source.Release(tensor);
            }

            shard.Clear();
            held = 0;
        }
    }
}
