using Hadal.Formats.Config;
using Hadal.Formats.Gguf;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Formats.Checkpoints;

/// <summary>A model on disk: a Hugging Face folder or a GGUF file, opened, its configuration read and checked.</summary>
public sealed class Checkpoint : IDisposable
{
    private Checkpoint(string path, ITensorSource tensors, ModelConfig config, ICheckpointFiles? files)
    {
        Path = path;
        Tensors = tensors;
        Config = config;
        Files = files;
    }

    public string Path { get; }

    /// <summary>The weights under their Hugging Face names. Owned by this checkpoint.</summary>
    public ITensorSource Tensors { get; }

    public ModelConfig Config { get; }

    /// <summary>The small files beside the weights; null for a GGUF file, which holds all in itself.</summary>
    public ICheckpointFiles? Files { get; }

    /// <summary>The files of a folder's weights; null for a GGUF file.</summary>
    public SafetensorsCheckpoint? Safetensors => Tensors as SafetensorsCheckpoint ?? (Tensors as PackedTensorSource)?.Inner as SafetensorsCheckpoint;

    public bool IsGguf => Tensors is GgufCheckpoint;

    /// <summary>The GGUF file with the metadata (tokenizer, chat template); null for a folder.</summary>
    public GgufFile? Gguf => (Tensors as GgufCheckpoint)?.Files[0];

    /// <summary>Bytes of all files of weights.</summary>
    public long ByteLength => Tensors switch
    {
        GgufCheckpoint g => g.Files.Sum(static f => f.ByteLength),
        _ => Safetensors?.Files.Sum(static f => f.ByteLength) ?? 0,
    };

    /// <summary>A checkpoint from parts that lie elsewhere than on disk (embedded in a program). Takes over the tensors.</summary>
    public static Checkpoint Of(string path, ITensorSource tensors, ModelConfig config, ICheckpointFiles files) => new(path, tensors, config, files);

    /// <param name="path">A folder with config.json and *.safetensors, or a .gguf file (of a split model the first part).</param>
    /// <exception cref="HadalException">There is no usable checkpoint; the message says what was looked for.</exception>
    public static Checkpoint Open(string path)
    {
        if (Directory.Exists(path))
        {
            return OpenFolder(path);
        }

        if (!File.Exists(path))
        {
            throw new HadalException($"{path}: no such file or folder; give a folder with config.json and *.safetensors, or a .gguf file");
        }

        // By content, not by name: caches store files under hashes.
        if (!IsGgufFile(path))
        {
            throw new HadalException(path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) || System.IO.Path.GetFileName(path) == ModelConfigReader.ConfigName
                ? $"{path}: is one file of a checkpoint; give its folder"
                : $"{path}: is not a GGUF file (it does not begin with 'GGUF'); give a .gguf file, or a folder with config.json and *.safetensors");
        }

        GgufCheckpoint gguf = GgufCheckpoint.Open(path);
        return new Checkpoint(path, gguf, gguf.Config, null);
    }

    /// <summary>What the files hold, in name order of the files and in the files' order within each.</summary>
    public IEnumerable<CheckpointTensor> ListTensors()
    {
        if (Tensors is GgufCheckpoint gguf)
        {
            foreach (GgufFile file in gguf.Files)
            {
                string name = System.IO.Path.GetFileName(file.Path);
                foreach (GgufTensorInfo t in file.Tensors)
                {
                    yield return new CheckpointTensor(t.Name, t.TypeName, t.Shape, t.ByteLength, name);
                }
            }
        }
        else if (Safetensors is { } safetensors)
        {
            foreach (SafetensorsFile file in safetensors.Files.OrderBy(static f => f.Path, StringComparer.Ordinal))
            {
                string name = System.IO.Path.GetFileName(file.Path);
                foreach (SafetensorsTensor t in file.Tensors)
                {
                    yield return new CheckpointTensor(t.Name, SafetensorsDTypes.NameOf(t.DType)!, t.Shape, t.ByteLength, name);
                }
            }
        }
    }

    public void Dispose() => Tensors.Dispose();

    private static Checkpoint OpenFolder(string path)
    {
        if (!File.Exists(System.IO.Path.Combine(path, ModelConfigReader.ConfigName)))
        {
            string[] ggufs = FolderFiles.Matching(path, "*.gguf");
            if (ggufs.Length > 0)
            {
                // One model, whole or split; of several the user must choose.
                string first = System.IO.Path.GetFileName(ggufs[0]);
                bool split = first.EndsWith($"-00001-of-{ggufs.Length:D5}.gguf", StringComparison.Ordinal);
                return ggufs.Length == 1 || split
                    ? Open(ggufs[0])
                    : throw new HadalException($"{path}: holds {ggufs.Length} GGUF files ({first}, …); give one of them");
            }
        }

        ModelConfig config = ModelConfigReader.FromFolder(path);
        return new Checkpoint(path, PackedTensorSource.Wrap(SafetensorsCheckpoint.Open(path)), config, new FolderCheckpointFiles(path));
    }

    private static bool IsGgufFile(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            Span<byte> magic = stackalloc byte[4];
            return stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && magic.SequenceEqual("GGUF"u8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HadalException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
