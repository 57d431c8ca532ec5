using System.Text;

namespace Hadal.TestKit.Gguf;

/// <summary>Writes GGUF files, valid or (through its settable fields) broken on purpose.</summary>
public sealed class GgufWriter
{
    private readonly List<(string Key, uint Type, byte[] Value)> _pairs = [];
    private readonly List<(string Name, uint Type, ulong[] Ne, byte[] Data)> _tensors = [];

    public uint Version { get; set; } = 3;

    public int Alignment { get; set; } = 32;

    /// <summary>Replaces the offset of each tensor; null keeps the right ones.</summary>
    public Func<string, ulong, ulong>? Offset { get; set; }

    public GgufWriter Add(string key, uint value) => AddRaw(key, 4, BitConverter.GetBytes(value));

    public GgufWriter Add(string key, int value) => AddRaw(key, 5, BitConverter.GetBytes(value));

    public GgufWriter Add(string key, float value) => AddRaw(key, 6, BitConverter.GetBytes(value));

    public GgufWriter Add(string key, bool value) => AddRaw(key, 7, [value ? (byte)1 : (byte)0]);

    public GgufWriter Add(string key, string value) => AddRaw(key, 8, StringBytes(value));

    public GgufWriter Add(string key, string[] values) => AddArray(key, 8, values.Length, [.. values.SelectMany(StringBytes)]);

    public GgufWriter Add(string key, int[] values) => AddArray(key, 5, values.Length, [.. values.SelectMany(BitConverter.GetBytes)]);

    public GgufWriter Add(string key, float[] values) => AddArray(key, 6, values.Length, [.. values.SelectMany(BitConverter.GetBytes)]);

    public GgufWriter AddArray(string key, uint elementType, long count, byte[] elements)
        => AddRaw(key, 9, [.. BitConverter.GetBytes(elementType), .. BitConverter.GetBytes(count), .. elements]);

    /// <param name="key">The key.</param>
    /// <param name="type">The number of the value's type.</param>
    /// <param name="value">The bytes of the value as they go into the file.</param>
    public GgufWriter AddRaw(string key, uint type, byte[] value)
    {
        _pairs.Add((key, type, value));
        return this;
    }

    public void Remove(string key) => _pairs.RemoveAll(p => p.Key == key);

    public void RemoveTensor(string name) => _tensors.RemoveAll(t => t.Name == name);

    /// <param name="name">The name.</param>
    /// <param name="type">ggml's number of the element type.</param>
    /// <param name="ne">ggml's order: the contiguous dimension first.</param>
    /// <param name="data">The bytes.</param>
    public GgufWriter AddTensor(string name, uint type, ulong[] ne, byte[] data)
    {
        _tensors.Add((name, type, ne, data));
        return this;
    }

    public byte[] ToBytes()
    {
        var stream = new MemoryStream();
        var w = new BinaryWriter(stream, Encoding.UTF8);
        w.Write("GGUF"u8);
        w.Write(Version);
        w.Write((ulong)_tensors.Count);
        w.Write((ulong)_pairs.Count);
        foreach ((string key, uint type, byte[] value) in _pairs)
        {
            w.Write(StringBytes(key));
            w.Write(type);
            w.Write(value);
        }

        ulong at = 0;
        foreach ((string name, uint type, ulong[] ne, byte[] data) in _tensors)
        {
            w.Write(StringBytes(name));
            w.Write((uint)ne.Length);
            foreach (ulong n in ne)
            {
                w.Write(n);
            }

            w.Write(type);
            w.Write(Offset is null ? at : Offset(name, at));
            at += (ulong)Padded(data.Length);
        }

        w.Write(new byte[Padded(stream.Position) - stream.Position]);
        foreach ((_, _, _, byte[] data) in _tensors)
        {
            w.Write(data);
            w.Write(new byte[Padded(data.Length) - data.Length]);
        }

        w.Flush();
        return stream.ToArray();
    }

    public void Write(string path) => File.WriteAllBytes(path, ToBytes());

    private static byte[] StringBytes(string s)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(s);
        return [.. BitConverter.GetBytes((ulong)utf8.Length), .. utf8];
    }

    private long Padded(long n) => (n + Alignment - 1) / Alignment * Alignment;
}
