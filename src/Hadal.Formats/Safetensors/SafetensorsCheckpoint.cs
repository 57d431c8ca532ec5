using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>
/// The tensors of a Hugging Face folder: the shards that <c>model.safetensors.index.json</c> names, or <c>model.safetensors</c>,
/// or every <c>*.safetensors</c> in it. Thread-safe but for <see cref="Dispose"/>.
/// </summary>
public sealed class SafetensorsCheckpoint : ITensorSource
{
    public const string IndexName = "model.safetensors.index.json";
    public const string SingleName = "model.safetensors";

    private const int MaxIndexBytes = 256 << 20;

    private readonly List<SafetensorsFile> _files;
    private readonly Dictionary<string, SafetensorsFile> _home;

    private SafetensorsCheckpoint(string folder, List<SafetensorsFile> files, Dictionary<string, SafetensorsFile> home)
    {
        Description = folder;
        _files = files;
        _home = home;
    }

    public string Description { get; }

    public IReadOnlyList<SafetensorsFile> Files => _files;

    public IReadOnlyCollection<string> Names => _home.Keys;

    /// <exception cref="HadalException">No checkpoint there, or a broken one.</exception>
    public static SafetensorsCheckpoint Open(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new HadalException($"{folder}: no such folder");
        }

        string index = Path.Combine(folder, IndexName);
        if (File.Exists(index))
        {
            return OpenIndexed(folder, index);
        }

        string single = Path.Combine(folder, SingleName);
        string[] paths = File.Exists(single) ? [single] : FolderFiles.Matching(folder, "*.safetensors");
        if (paths.Length == 0)
        {
            throw new HadalException($"{folder}: holds no weights: looked for {IndexName}, {SingleName} and *.safetensors");
        }

        return Open(folder, paths.Select(SafetensorsFile.Open));
    }

    /// <summary>Files that together are one checkpoint; they are opened as the sequence is walked, and disposed with this.</summary>
    /// <exception cref="HadalException">A tensor is in two of them.</exception>
    public static SafetensorsCheckpoint Open(string folder, IEnumerable<SafetensorsFile> opened)
    {
        var files = new List<SafetensorsFile>();
        try
        {
            var home = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
            foreach (SafetensorsFile file in opened)
            {
                string path = file.Path;
                files.Add(file);
                foreach (SafetensorsTensor t in file.Tensors)
                {
                    if (!home.TryAdd(t.Name, file))
                    {
                        throw new HadalException($"{folder}: tensor {HostileText.Quote(t.Name)} is in {Path.GetFileName(home[t.Name].Path)} and in {Path.GetFileName(path)}, and no {IndexName} says which counts; remove the files that do not belong to the model");
                    }
                }
            }

            return new SafetensorsCheckpoint(folder, files, home);
        }
        catch
        {
            DisposeAll(files);
            throw;
        }
    }

    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        if (_home.TryGetValue(name, out SafetensorsFile? file))
        {
            return file.TryGet(name, out tensor);
        }

        tensor = null;
        return false;
    }

    public void Prefetch(StoredTensor tensor) => MappedFile.Prefetch(tensor);

    public void Release(StoredTensor tensor) => MappedFile.Release(tensor);

    public void Dispose() => DisposeAll(_files);

    private static void DisposeAll(List<SafetensorsFile> files)
    {
        foreach (SafetensorsFile f in files)
        {
            f.Dispose();
        }
    }

    private static SafetensorsCheckpoint OpenIndexed(string folder, string index)
    {
        Dictionary<string, string> weightMap = ReadIndex(index);
        var files = new List<SafetensorsFile>();
        try
        {
            var byShard = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
            var home = new Dictionary<string, SafetensorsFile>(weightMap.Count, StringComparer.Ordinal);
            foreach ((string tensor, string shard) in weightMap)
            {
                if (!byShard.TryGetValue(shard, out SafetensorsFile? file))
                {
                    string path = Path.Combine(folder, shard);
                    if (!File.Exists(path))
                    {
                        throw new HadalException($"{index}: tensor {HostileText.Quote(tensor)} is said to be in {shard}, which is not in {folder}; download the missing shard");
                    }

                    file = SafetensorsFile.Open(path);
                    files.Add(file);
                    byShard.Add(shard, file);
                }

                if (!file.Contains(tensor))
                {
                    throw new HadalException($"{index}: tensor {HostileText.Quote(tensor)} is said to be in {shard}, but that file does not hold it; index and shards are of different checkpoints");
                }

                home.Add(tensor, file);
            }

            return new SafetensorsCheckpoint(folder, files, home);
        }
        catch
        {
            DisposeAll(files);
            throw;
        }
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        byte[] bytes = JsonFile.ReadAllBytes(path, MaxIndexBytes);
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        bool found = false;
        try
        {
            var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = 16 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw new HadalException($"{path}: is not a JSON object");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isMap = reader.ValueTextEquals("weight_map"u8);
                reader.Read();
                if (!isMap)
                {
                    reader.Skip();
                    continue;
                }

                if (found)
                {
                    throw new HadalException($"{path}: has 'weight_map' twice");
                }

                found = true;
                ReadWeightMap(ref reader, path, map);
            }

            while (reader.Read())
            {
            }
        }
        catch (JsonException e)
        {
            throw new HadalException($"{path}: is not valid JSON{JsonPosition.Of(e)}: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new HadalException($"{path}: holds a string that is not valid Unicode: {e.Message}", e);
        }

        return found ? map : throw new HadalException($"{path}: has no 'weight_map'");
    }

    private static void ReadWeightMap(ref Utf8JsonReader reader, string path, Dictionary<string, string> map)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new HadalException($"{path}: 'weight_map' is not an object of tensor names to file names");
        }

        // The same few file names come tens of thousands of times: one string each.
        var shards = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string tensor = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new HadalException($"{path}: weight_map[{HostileText.Quote(tensor)}] is not a string, expected the name of a shard");
            }

            string shard = reader.GetString()!;
            if (!shards.TryGetValue(shard, out string? same))
            {
                CheckShardName(shard, tensor, path);
                shards.Add(shard, same = shard);
            }

            if (!map.TryAdd(tensor, same))
            {
                throw new HadalException($"{path}: weight_map has {HostileText.Quote(tensor)} twice");
            }
        }
    }

    /// <summary>A plain file name only: a checkpoint must not be able to point outside its folder.</summary>
    private static void CheckShardName(string shard, string tensor, string path)
    {
        bool plain = shard.EndsWith(".safetensors", StringComparison.Ordinal)
            && !shard.AsSpan().ContainsAny("/\\:\0");
        if (!plain)
        {
            throw new HadalException($"{path}: weight_map[{HostileText.Quote(tensor)}] is {HostileText.Quote(shard)}, expected a plain file name ending in .safetensors, without a folder");
        }
    }
}
