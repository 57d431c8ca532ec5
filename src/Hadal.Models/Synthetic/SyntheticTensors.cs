using System.Diagnostics.CodeAnalysis;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Numerics;

namespace Hadal.Models.Synthetic;

/// <summary>
/// Random weights of the right size: rows of a matrix are stretches of one random pattern with variance 1/K, so that activations stay of order one.
/// The numbers mean nothing; the bytes, and so the speed, are those of a real model.
/// </summary>
public sealed class SyntheticTensors : ITensorSource
{
    private const int PatternElements = 1 << 20;

    private readonly Dictionary<string, WeightSpec> _specs;
    private readonly HashSet<string> _linear;
    private readonly DType _linearDType;
    private readonly (int Rows, int Columns)? _fp8Block;
    private readonly Dictionary<string, StoredTensor> _made = new(StringComparer.Ordinal);
    private readonly List<NativeBuffer> _buffers = [];
    private readonly Dictionary<string, NativeBuffer> _bufferOf = new(StringComparer.Ordinal);
    private readonly float[] _uniform;
    private readonly bool _shapesOnly;
    private readonly Dictionary<(int, DType), NativeBuffer> _patterns = [];

    /// <param name="graph">The model whose weights to make up.</param>
    /// <param name="linearDType">Type of the matrices of linear operations and experts: F32, Bf16, F8E4M3 (blocks of 128×128) or I8 (a scale per row). The rest is bf16.</param>
    /// <param name="shapesOnly">Names, types and shapes without bytes: enough to plan with, at any size.</param>
    public SyntheticTensors(ModelGraph graph, DType linearDType, bool shapesOnly = false)
    {
        if (linearDType is not (DType.F32 or DType.Bf16 or DType.F8E4M3 or DType.I8))
        {
            throw new HadalException($"Synthetic weights can be f32, bf16, fp8 or int8, not {linearDType}.");
        }

        _linearDType = linearDType;
        _fp8Block = linearDType == DType.F8E4M3 ? (128, 128) : null;
        _specs = graph.Weights.ToDictionary(w => w.Name, StringComparer.Ordinal);
        _linear = CpuCompiler.LinearWeights(graph).Where(w => !w.KeepPrecision).Select(w => w.Name).ToHashSet(StringComparer.Ordinal);
        // Of a tied matrix the embedding decides: it must stay readable row by row without scales.
        _linear.ExceptWith(graph.Nodes.Where(n => n.Op is Graph.Ir.Ops.EmbedOp).SelectMany(n => n.Op.Weights).Select(w => w.Name));
        _shapesOnly = shapesOnly;
        _uniform = shapesOnly ? [] : new float[PatternElements];
        var random = new Random(20240501);
        for (int i = 0; i < _uniform.Length; i++)
        {
            _uniform[i] = (random.NextSingle() * 2) - 1;
        }
    }

    public string Description => "synthetic weights";

    public IReadOnlyCollection<string> Names => _specs.Keys;

    /// <summary>Block of the e4m3 scales, where the weights are e4m3.</summary>
    public (int Rows, int Columns)? Fp8BlockSize => _fp8Block;

    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        if (_made.TryGetValue(name, out tensor))
        {
            return true;
        }

        if (_specs.TryGetValue(name, out WeightSpec? spec))
        {
            tensor = spec.IsVector ? Vector(spec) : Matrix(spec);
        }
        else if (Scaled(name, "_scale_inv", DType.F8E4M3) is { } blocked)
        {
            tensor = Scales(name, (blocked.Rows + 127) / 128, (blocked.Columns + 127) / 128, 1f / MathF.Sqrt(blocked.Columns / 3f));
        }
        else if (Scaled(name, "_scale", DType.I8) is { } perRow)
        {
            tensor = Scales(name, perRow.Rows, 1, 1f / (127 * MathF.Sqrt(perRow.Columns / 3f)));
        }
        else
        {
            return false;
        }

        _made.Add(name, tensor);
        return true;
    }

    /// <summary>Drops a made-up tensor: asked for again, it is made again.</summary>
    public void Release(StoredTensor tensor)
    {
        if (_made.Remove(tensor.Name) && _bufferOf.Remove(tensor.Name, out NativeBuffer? buffer))
        {
            _buffers.Remove(buffer);
            buffer.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (NativeBuffer buffer in _buffers.Concat(_patterns.Values))
        {
            buffer.Dispose();
        }

        _buffers.Clear();
        _patterns.Clear();
    }

    private WeightSpec? Scaled(string name, string suffix, DType dtype)
        => _linearDType == dtype && name.EndsWith(suffix, StringComparison.Ordinal) && _linear.Contains(name[..^suffix.Length])
            ? _specs[name[..^suffix.Length]]
            : null;

    private StoredTensor ShapeOf(string name, DType dtype, params long[] shape)
        => new(name, dtype, shape, _buffers.Count > 0 ? _buffers[0] : Own(new NativeBuffer(0)), Description);

    private StoredTensor Vector(WeightSpec spec)
    {
        if (_shapesOnly)
        {
            return ShapeOf(spec.Name, DType.F32, spec.Rows);
        }

        NativeBuffer buffer = Own(NativeBuffer.Of<float>(spec.Rows));
        if (spec.Name.Contains("norm", StringComparison.Ordinal))
        {
            buffer.Span<float>().Fill(1);
        }

        return new StoredTensor(spec.Name, DType.F32, [spec.Rows], buffer, Description);
    }

    private StoredTensor Scales(string name, int rows, int columns, float value)
    {
        if (_shapesOnly)
        {
            return ShapeOf(name, DType.F32, rows, columns);
        }

        NativeBuffer buffer = Own(NativeBuffer.Of<float>((nint)rows * columns));
        buffer.Span<float>().Fill(value);
        return new StoredTensor(name, DType.F32, [rows, columns], buffer, Description);
    }

    private StoredTensor Matrix(WeightSpec spec)
    {
        DType dtype = _linear.Contains(spec.Name) ? _linearDType : DType.Bf16;
        if (_shapesOnly)
        {
            return ShapeOf(spec.Name, dtype, spec.Rows, spec.Columns);
        }

        NativeBuffer pattern = Pattern(spec.Columns, dtype);
        int rowBytes = checked((int)dtype.RowBytes(spec.Columns));
        int elementBytes = dtype.BlockBytes;
        NativeBuffer buffer = Own(new NativeBuffer((nuint)spec.Rows * (nuint)rowBytes));
        // Rows start at places of the pattern that a multiplicative walk scatters.
        ulong places = PatternElements - (ulong)spec.Columns + 1;
        for (int row = 0; row < spec.Rows; row++)
        {
            int start = (int)((((ulong)row * 0x9E3779B97F4A7C15) + ((ulong)spec.Rows * 31)) % places) * elementBytes;
            pattern.Slice((nuint)start, rowBytes).CopyTo(buffer.Slice((nuint)row * (nuint)rowBytes, rowBytes));
        }

        _bufferOf[spec.Name] = buffer;
        return new StoredTensor(spec.Name, dtype, [spec.Rows, spec.Columns], buffer, Description);
    }

    private NativeBuffer Pattern(int columns, DType dtype)
    {
        // Scaled types carry 1/sqrt(K) in their scales.
        int key = dtype is DType.F8E4M3 or DType.I8 ? 0 : columns;
        if (_patterns.TryGetValue((key, dtype), out NativeBuffer? pattern))
        {
            return pattern;
        }

        pattern = new NativeBuffer((nuint)PatternElements * (nuint)dtype.BlockBytes);
        float deviation = key == 0 ? 1 : MathF.Sqrt(3f / columns);
        for (int i = 0; i < PatternElements; i++)
        {
            float v = _uniform[i] * deviation;
            switch (dtype)
            {
                case DType.F32:
                    pattern.Span<float>()[i] = v;
                    break;
                case DType.Bf16:
                    pattern.Span<ushort>()[i] = Bf16.FromSingle(v);
                    break;
                case DType.F8E4M3:
                    pattern.Span<byte>()[i] = Fp8.E4M3FromSingle(v);
                    break;
                default:
                    pattern.Span<sbyte>()[i] = (sbyte)MathF.Round(v * 127);
                    break;
            }
        }

        _patterns.Add((key, dtype), pattern);
        return pattern;
    }

    private NativeBuffer Own(NativeBuffer buffer)
    {
        _buffers.Add(buffer);
        return buffer;
    }
}
