using System.Text;
using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>
/// Writes a GGUF file (version 3): metadata, then the tensors in the order they were announced, streamed. Written beside its place and renamed when whole;
/// disposed before that, nothing is left.
/// </summary>
/// <remarks>Source: github.com/ggml-org/ggml, docs/gguf.md.</remarks>
public sealed class GgufStream : IDisposable
{
    private const int Alignment = 32;

    private readonly IReadOnlyList<GgufTensorPlan> _plans;
    private readonly string _path;
    private FileStream? _stream;
    private int _next;

    /// <param name="path">The file to make; there must be none.</param>
    /// <param name="metadata">Keys with values: string, bool, uint, float, or arrays of string or int.</param>
    /// <param name="tensors">All tensors, in order.</param>
    /// <exception cref="HadalException">The disk refuses, or the file exists.</exception>
    public GgufStream(string path, IReadOnlyList<(string Key, object Value)> metadata, IReadOnlyList<GgufTensorPlan> tensors)
    {
        _path = path;
        _plans = tensors;
        if (File.Exists(path) || Directory.Exists(path))
        {
            throw new HadalException($"{path}: exists already; give the name of a file that does not, or remove it first.");
        }

        try
        {
            _stream = new FileStream(path + ".partial", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
            using var w = new BinaryWriter(_stream, Encoding.UTF8, leaveOpen: true);
            w.Write("GGUF"u8);
            w.Write(3u);
            w.Write((ulong)tensors.Count);
            w.Write((ulong)metadata.Count);
            foreach ((string key, object value) in metadata)
            {
                Text(w, key);
                Value(w, value);
            }

            long offset = 0;
            foreach (GgufTensorPlan t in tensors)
            {
                Text(w, t.Name);
                w.Write((uint)t.Shape.Length);
                foreach (long d in t.Shape.Reverse())
                {
                    w.Write((ulong)d);
                }

                w.Write(GgmlTypes.IdOf(t.DType) ?? throw new HadalException($"{path}: tensor {t.Name} is {t.DType}, which GGUF has no number for."));
                w.Write((ulong)offset);
                offset = (offset + t.ByteLength + Alignment - 1) / Alignment * Alignment;
            }

            w.Flush();
            Pad();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Dispose();
            throw new HadalException($"{path}: cannot be written: {e.Message}", e);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The next tensor's bytes, whole: <paramref name="write"/> is given the stream.</summary>
    public void Append(string name, Action<Stream> write)
    {
        ObjectDisposedException.ThrowIf(_stream is null, this);
        GgufTensorPlan plan = _plans[_next++];
        if (plan.Name != name)
        {
            throw new InvalidOperationException($"{name} comes where {plan.Name} was announced");
        }

        try
        {
            long before = _stream.Position;
            write(_stream);
            if (_stream.Position - before != plan.ByteLength)
            {
                throw new InvalidOperationException($"{name}: {_stream.Position - before} bytes where {plan.ByteLength} were announced");
            }

            Pad();
        }
        catch (IOException e)
        {
            throw new HadalException($"{_path}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Flushes to disk and puts the file in its place.</summary>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_stream is null, this);
        if (_next != _plans.Count)
        {
            throw new InvalidOperationException($"{_path}: {_next} of {_plans.Count} tensors are written");
        }

        try
        {
            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            _stream = null;
            File.Move(_path + ".partial", _path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HadalException($"{_path}: cannot be written: {e.Message}", e);
        }
    }

    public void Dispose()
    {
        if (_stream is null)
        {
            return;
        }

        _stream.Dispose();
        _stream = null;
        File.Delete(_path + ".partial");
    }

    private void Pad()
    {
        int rest = (int)(_stream!.Position % Alignment);
        if (rest > 0)
        {
            _stream.Write(stackalloc byte[Alignment - rest]);
        }
    }

    private static void Text(BinaryWriter w, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        w.Write((ulong)bytes.Length);
        w.Write(bytes);
    }

    private static void Value(BinaryWriter w, object value)
    {
        switch (value)
        {
            case string s:
                w.Write((uint)GgufValueType.String);
                Text(w, s);
                break;
            case bool b:
                w.Write((uint)GgufValueType.Bool);
                w.Write(b);
                break;
            case uint u:
                w.Write((uint)GgufValueType.UInt32);
                w.Write(u);
                break;
            case float f:
                w.Write((uint)GgufValueType.Float32);
                w.Write(f);
                break;
            case string[] texts:
                w.Write((uint)GgufValueType.Array);
                w.Write((uint)GgufValueType.String);
                w.Write((ulong)texts.Length);
                foreach (string t in texts)
                {
                    Text(w, t);
                }

                break;
            case int[] numbers:
                w.Write((uint)GgufValueType.Array);
                w.Write((uint)GgufValueType.Int32);
                w.Write((ulong)numbers.Length);
                foreach (int n in numbers)
                {
                    w.Write(n);
                }

                break;
            default:
                throw new NotSupportedException($"no GGUF value of {value.GetType()}");
        }
    }
}
