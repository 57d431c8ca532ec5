using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Optimize.Rewriting;

/// <summary>
/// Makes a checkpoint of another: tensor by tensor, shard by shard, in any order. Everything is written into a folder beside the output's place, which is
/// renamed into it when all is there. Work that was interrupted goes on at the shards that were finished.
/// </summary>
/// <remarks>Holds one tensor's output at most; the source's pages are given back as tensors are done. One caller at a time.</remarks>
public sealed class CheckpointRewriter : IDisposable
{
    private const string StateName = "rewrite.state";
    private const long MaxSideFileBytes = 256 << 20;

    private readonly Checkpoint _source;
    private readonly ITensorRewrite _rewrite;
    private readonly List<Shard> _shards = [];
    private readonly Dictionary<string, Shard> _shardOf = new(StringComparer.Ordinal);
    private readonly IProgress<RewriteProgress>? _progress;
    private readonly string _work;
    private readonly long _bytesTotal;
    private long _bytesDone;
    private readonly long _bytesBefore;

    private CheckpointRewriter(Checkpoint source, SafetensorsCheckpoint tensors, string output, ITensorRewrite rewrite, IProgress<RewriteProgress>? progress)
    {
        _source = source;
        _rewrite = rewrite;
        _progress = progress;
        Output = output;
        _work = WorkFolder(output);
        int number = 0;
        SafetensorsFile[] files = [.. tensors.Files.OrderBy(f => f.Path, StringComparer.Ordinal)];
        foreach (SafetensorsFile file in files)
        {
            var shard = new Shard();
            foreach (SafetensorsTensor t in file.Tensors.OrderBy(t => t.Offset))
            {
                if (!tensors.TryGet(t.Name, out StoredTensor? tensor) || !file.TryGet(t.Name, out StoredTensor? here) || here.Origin != tensor.Origin)
                {
                    // The index gives this name to another file.
                    continue;
                }

                shard.Names.Add(t.Name);
                shard.Pending.Add(t.Name);
                shard.Plans.AddRange(rewrite.Plan(tensor));
                shard.Bytes += tensor.ByteLength;
                _shardOf.Add(t.Name, shard);
            }

            if (shard.Names.Count > 0)
            {
                _shards.Add(shard);
            }
        }

        // Shards of which nothing is left are no files; numbering goes over the rest.
        int count = _shards.Count(s => s.Plans.Count > 0);
        foreach (Shard shard in _shards.Where(s => s.Plans.Count > 0))
        {
            number++;
            shard.FileName = count == 1 ? SafetensorsCheckpoint.SingleName : $"model-{number:D5}-of-{count:D5}.safetensors";
        }

        if (count == 0)
        {
            throw new HadalException($"{source.Path}: nothing would be left of it.");
        }

        _bytesTotal = _shards.Sum(s => s.Bytes);
        Resume();
        _bytesBefore = _bytesDone;
    }

    /// <summary>The folder that there will be.</summary>
    public string Output { get; }

    /// <summary>Bytes of tensors that the new checkpoint has.</summary>
    public long OutputBytes => _shards.Sum(s => s.Plans.Sum(p => p.ByteLength));

    /// <summary>Shards that an interrupted run had finished.</summary>
    public int NumResumedShards { get; private set; }

    /// <summary>Names of tensors that are yet to be written, in the files' order.</summary>
    public IEnumerable<string> Pending => _shards.SelectMany(s => s.Names.Where(s.Pending.Contains));

    /// <param name="source">A folder of safetensors; must outlive this.</param>
    /// <param name="output">The folder to make; there must be none yet.</param>
    /// <param name="rewrite">What tensors become.</param>
    /// <param name="settings">All that decides what is written, besides the source: an interrupted run goes on only where these are the same.</param>
    /// <param name="restart">Throw away what an interrupted run left, whatever its settings.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <exception cref="HadalException">The output exists, the source is no folder of safetensors, the disk is too small, or interrupted work is of other settings.</exception>
    public static CheckpointRewriter Open(Checkpoint source, string output, ITensorRewrite rewrite, string settings, bool restart = false, IProgress<RewriteProgress>? progress = null)
    {
        output = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        CheckOutput(output);
        if (source.Tensors is not SafetensorsCheckpoint tensors)
        {
            throw new HadalException($"{source.Path}: is a GGUF file; checkpoints are made from a folder of safetensors, as it was published.");
        }

        string work = WorkFolder(output);
        string state = Fingerprint(tensors, settings);
        try
        {
            if (restart && Directory.Exists(work))
            {
                Directory.Delete(work, recursive: true);
            }

            string statePath = Path.Combine(work, StateName);
            if (Directory.Exists(work))
            {
                string found = File.Exists(statePath) ? File.ReadAllText(statePath) : "";
                if (found != state)
                {
                    throw new HadalException($"{work}: holds unfinished work of another source or other settings; give --restart to throw it away, or the settings it was begun with to go on.");
                }
            }
            else
            {
                // Planned first: a recipe that does not fit leaves no folder.
                _ = new CheckpointRewriter(source, tensors, output, rewrite, null);
                Directory.CreateDirectory(work);
                File.WriteAllText(statePath, state);
            }

            var rewriter = new CheckpointRewriter(source, tensors, output, rewrite, progress);
            rewriter.CheckSpace();
            return rewriter;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HadalException($"{work}: cannot be written: {e.Message}", e);
        }
    }

    /// <exception cref="HadalException">Something is there already.</exception>
    public static void CheckOutput(string output)
    {
        if (Directory.Exists(output) || File.Exists(output))
        {
            throw new HadalException($"{output}: exists already; give the name of a folder that does not, or remove it first.");
        }
    }

    public bool IsPending(string name) => _shardOf.TryGetValue(name, out Shard? shard) && shard.Pending.Contains(name);

    /// <summary>Writes what one tensor becomes; the shard is finished with its last one.</summary>
    public void Process(string name)
    {
        Shard shard = _shardOf[name];
        if (!shard.Pending.Contains(name))
        {
            return;
        }

        if (!_source.Tensors.TryGet(name, out StoredTensor? tensor))
        {
            throw new HadalException($"{_source.Path}: tensor {name} is gone.");
        }

        if (shard.FileName is { } file)
        {
            shard.Stream ??= new SafetensorsStream(Path.Combine(_work, file), shard.Plans, new Dictionary<string, string>(StringComparer.Ordinal) { ["format"] = "pt" });
            _rewrite.Rewrite(tensor, new TensorSink(shard.Stream));
        }

        _source.Tensors.Release(tensor);
        shard.Pending.Remove(name);
        _bytesDone += tensor.ByteLength;
        if (shard.Pending.Count == 0)
        {
            shard.Stream?.Complete();
            shard.Stream = null;
        }

        _progress?.Report(new RewriteProgress(_bytesDone, _bytesTotal, _bytesDone - _bytesBefore, name));
    }

    /// <summary>Writes all tensors that are yet to be written.</summary>
    public void ProcessAll(CancellationToken cancellationToken)
    {
        foreach (string name in Pending.ToList())
        {
            cancellationToken.ThrowIfCancellationRequested();
            Process(name);
        }
    }

    /// <summary>Writes the small files and puts the folder in its place.</summary>
    /// <param name="config">The new config.json.</param>
    /// <param name="files">Further files, by name.</param>
    public void Finish(byte[] config, IReadOnlyDictionary<string, byte[]>? files = null)
    {
        if (_shards.Any(s => s.Pending.Count > 0))
        {
            throw new InvalidOperationException($"{Pending.Count()} tensors are not written");
        }

        try
        {
            CopySideFiles();
            WriteFile("config.json", config);
            foreach ((string name, byte[] bytes) in files ?? new Dictionary<string, byte[]>())
            {
                WriteFile(name, bytes);
            }

            if (_shards.Count(s => s.FileName is not null) > 1)
            {
                WriteFile(SafetensorsCheckpoint.IndexName, Index());
            }

            File.Delete(Path.Combine(_work, StateName));
            CheckOutput(Output);
            Directory.Move(_work, Output);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HadalException($"{_work}: cannot be finished: {e.Message}", e);
        }
    }

    /// <summary>Throws away what was written: of work that will not be finished.</summary>
    public void Discard()
    {
        Dispose();
        if (Directory.Exists(_work))
        {
            Directory.Delete(_work, recursive: true);
        }
    }

    public void Dispose()
    {
        foreach (Shard shard in _shards)
        {
            shard.Stream?.Dispose();
            shard.Stream = null;
        }
    }

    private static string WorkFolder(string output) => output + ".partial";

    /// <summary>Of files their names, lengths and times: reading a terabyte to know it again would take as long as the work.</summary>
    private static string Fingerprint(SafetensorsCheckpoint tensors, string settings)
    {
        var text = new StringBuilder(settings);
        foreach (SafetensorsFile file in tensors.Files.OrderBy(f => f.Path, StringComparer.Ordinal))
        {
            long ticks = File.Exists(file.Path) ? File.GetLastWriteTimeUtc(file.Path).Ticks : 0;
            text.Append('\n').Append(Path.GetFileName(file.Path)).Append(' ').Append(file.ByteLength).Append(' ').Append(ticks);
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private void Resume()
    {
        foreach (Shard shard in _shards)
        {
            if (shard.FileName is null)
            {
                continue;
            }

            string path = Path.Combine(_work, shard.FileName);
            if (!File.Exists(path))
            {
                continue;
            }

            // A shard gets its name when it is whole and on disk; that it holds what this run would write is checked all the same.
            using (SafetensorsFile file = SafetensorsFile.Open(path))
            {
                bool same = file.Tensors.Count == shard.Plans.Count
                    && shard.Plans.All(p => file.TryGet(p.Name, out StoredTensor? t) && t.DType == p.DType && t.Shape.SequenceEqual(p.Shape));
                if (!same)
                {
                    throw new HadalException($"{path}: holds other tensors than it should by these settings; give --restart to throw the unfinished work away.");
                }
            }

            shard.Pending.Clear();
            _bytesDone += shard.Bytes;
            NumResumedShards++;
        }
    }

    private void CheckSpace()
    {
        long wanted = _shards.Where(s => s.Pending.Count > 0).Sum(s => s.Plans.Sum(p => p.ByteLength));
        long free = new DriveInfo(_work).AvailableFreeSpace;
        if (wanted > free)
        {
            throw new HadalException($"{_work}: the new checkpoint takes {wanted >> 20} MiB and the disk has {free >> 20} MiB left.");
        }
    }

    private void CopySideFiles()
    {
        if (Directory.Exists(_source.Path))
        {
            foreach (string path in Directory.GetFiles(_source.Path).Order(StringComparer.Ordinal))
            {
                string name = Path.GetFileName(path);
                bool weights = name.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".bin", StringComparison.OrdinalIgnoreCase)
                    || name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".pth", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase);
                if (!weights && name != "config.json" && new FileInfo(path).Length <= MaxSideFileBytes)
                {
                    WriteFile(name, File.ReadAllBytes(path));
                }
            }

            return;
        }

        foreach (string name in (ReadOnlySpan<string>)["generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "NOTICE", "LICENSE"])
        {
            if (_source.Files is { } files && files.Exists(name))
            {
                WriteFile(name, files.Read(name, (int)MaxSideFileBytes));
            }
        }
    }

    private void WriteFile(string name, byte[] bytes)
    {
        using var stream = new FileStream(Path.Combine(_work, name), FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        stream.Write(bytes);
        stream.Flush(flushToDisk: true);
    }

    private byte[] Index()
    {
        using var memory = new MemoryStream();
        using (var json = new Utf8JsonWriter(memory, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", OutputBytes);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach ((string name, string file) in _shards.SelectMany(s => s.Plans.Select(p => (p.Name, s.FileName!))).OrderBy(p => p.Name, StringComparer.Ordinal))
            {
                json.WriteString(name, file);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return memory.ToArray();
    }

    private sealed class Shard
    {
        public List<string> Names { get; } = [];

        public HashSet<string> Pending { get; } = new(StringComparer.Ordinal);

        public List<TensorPlan> Plans { get; } = [];

        /// <summary>Null where nothing is left of it.</summary>
        public string? FileName { get; set; }

        public long Bytes { get; set; }

        public SafetensorsStream? Stream { get; set; }
    }
}
