using System.Diagnostics.CodeAnalysis;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Numerics;

namespace Hadal.Models.Synthetic;

/// <summary>
/// Random weights of the right size: rows of a matrix are stretches of one random pattern with variance 1/K, so that activations stay of order one.
/// The numbers mean nothing; the bytes, and so the speed, are those of a real model.
/// </summary>
/// <remarks>
/// With F32, Bf16, F8E4M3 (blocks of 128×128) and I8 (a scale per row) as the type, the matrices of linear operations and experts are of it and the rest
/// is bf16. With a GGUF type all matrices are, embedding included, but routers, which stay F32; rows that are not whole blocks fall back as in
/// llama.cpp's quantiser (src/llama-quant.cpp), except that Q4_K becomes Q8_0 where that takes Q5_0.
/// </remarks>
public sealed class SyntheticTensors : ITensorSource
{
    private const int PatternElements = 1 << 20;
    private const int Seed = 20240501;

    private readonly Dictionary<string, WeightSpec> _specs;
    private readonly HashSet<string> _linear;
    private readonly Dictionary<string, WeightSpec> _scales = new(StringComparer.Ordinal);
    private readonly (int Rows, int Columns)? _fp8Block;
    private readonly Dictionary<string, StoredTensor> _made = new(StringComparer.Ordinal);
    private readonly List<NativeBuffer> _buffers = [];
    private readonly Dictionary<string, NativeBuffer> _bufferOf = new(StringComparer.Ordinal);
    private readonly bool _shapesOnly;
    private float[]? _uniform;
    private readonly Dictionary<(int, DType), NativeBuffer> _patterns = [];

    /// <param name="graph">The model whose weights to make up.</param>
    /// <param name="matrixDType">F32, F16, Bf16, F8E4M3, I8, or a GGUF block type.</param>
    /// <param name="shapesOnly">Names, types and shapes without bytes: enough to plan with, at any size.</param>
    public SyntheticTensors(ModelGraph graph, DType matrixDType, bool shapesOnly = false)
    {
        if (matrixDType is not (DType.F32 or DType.F16 or DType.Bf16 or DType.F8E4M3 or DType.I8) && !matrixDType.IsBlock)
        {
            throw new HadalException($"Synthetic weights can be f32, f16, bf16, fp8, int8 or a GGUF block type, not {matrixDType}.");
        }

        MatrixDType = matrixDType;
        _fp8Block = matrixDType == DType.F8E4M3 ? (128, 128) : null;
        _specs = graph.Weights.ToDictionary(w => w.Name, StringComparer.Ordinal);
        _linear = CpuCompiler.LinearWeights(graph).Where(w => !w.KeepPrecision).Select(w => w.Name).ToHashSet(StringComparer.Ordinal);
        // Of a tied matrix the embedding decides: it must stay readable row by row without scales.
        _linear.ExceptWith(graph.Nodes.Where(n => n.Op is Graph.Ir.Ops.EmbedOp).SelectMany(n => n.Op.Weights).Select(w => w.Name));
        _shapesOnly = shapesOnly;
        foreach (WeightSpec spec in _specs.Values.Where(w => DTypeOf(w) == DType.I8 || DTypeOf(w) == DType.F8E4M3))
        {
            _scales.Add(spec.Name + (matrixDType == DType.I8 ? "_scale" : "_scale_inv"), spec);
        }
    }

    public string Description => "synthetic weights";

    public IReadOnlyCollection<string> Names => _specs.Keys;

    /// <summary>What was asked for.</summary>
    public DType MatrixDType { get; }

    /// <summary>Block of the e4m3 scales, where the weights are e4m3.</summary>
    public (int Rows, int Columns)? Fp8BlockSize => _fp8Block;

    /// <summary>All weights with their scales, in the order of the model, without making any.</summary>
    public IEnumerable<(string Name, DType DType, long[] Shape, long ByteLength)> List()
    {
        foreach (WeightSpec spec in _specs.Values)
        {
            DType dtype = DTypeOf(spec);
            yield return spec.IsVector
                ? (spec.Name, dtype, [spec.Rows], dtype.RowBytes(spec.Rows))
                : (spec.Name, dtype, [spec.Rows, spec.Columns], dtype.RowBytes(spec.Columns) * spec.Rows);
        }

        foreach ((string name, WeightSpec spec) in _scales)
        {
            (int rows, int columns) = ScaleShape(spec);
            yield return (name, DType.F32, [rows, columns], 4L * rows * columns);
        }
    }

    /// <summary>Where rows are not whole blocks of the type asked for: the type they are of instead, and how many matrices that are.</summary>
    public IEnumerable<(DType DType, int Matrices)> Fallbacks()
        => MatrixDType.IsBlock
            ? _specs.Values.Where(s => !s.IsVector && !s.KeepPrecision && DTypeOf(s) != MatrixDType).GroupBy(DTypeOf).Select(g => (g.Key, g.Count()))
            : [];

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
        else if (_scales.TryGetValue(name, out WeightSpec? scaled))
        {
            (int rows, int columns) = ScaleShape(scaled);
            float unit = MatrixDType == DType.I8 ? 127 : 1;
            tensor = Scales(name, rows, columns, 1f / (unit * MathF.Sqrt(scaled.Columns / 3f)));
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

    private DType DTypeOf(WeightSpec spec)
    {
        if (spec.IsVector)
        {
            return DType.F32;
        }

        if (!MatrixDType.IsBlock)
        {
            return _linear.Contains(spec.Name) ? MatrixDType : DType.Bf16;
        }

        if (spec.KeepPrecision)
        {
            return DType.F32;
        }

        DType dtype = MatrixDType;
        if (spec.Columns % dtype.BlockElements != 0)
        {
            dtype = dtype switch
            {
                DType.Q4_K or DType.Q6_K => DType.Q8_0,
                DType.Q5_K => DType.Q5_1,
                _ => DType.F16,
            };
        }

        return spec.Columns % dtype.BlockElements == 0 ? dtype : DType.F16;
    }

    private (int Rows, int Columns) ScaleShape(WeightSpec spec)
        => _fp8Block is { } block ? ((spec.Rows + block.Rows - 1) / block.Rows, (spec.Columns + block.Columns - 1) / block.Columns) : (spec.Rows, 1);

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
        DType dtype = DTypeOf(spec);
        if (_shapesOnly)
        {
            return ShapeOf(spec.Name, dtype, spec.Rows, spec.Columns);
        }

        NativeBuffer pattern = Pattern(spec.Columns, dtype);
        int rowBytes = checked((int)dtype.RowBytes(spec.Columns));
        NativeBuffer buffer = Own(new NativeBuffer((nuint)spec.Rows * (nuint)rowBytes));
        // Rows start at places of the pattern that a multiplicative walk scatters; of block types at whole blocks.
        ulong places = (ulong)((PatternElements - spec.Columns) / dtype.BlockElements) + 1;
        for (int row = 0; row < spec.Rows; row++)
        {
            int start = (int)((((ulong)row * 0x9E3779B97F4A7C15) + ((ulong)spec.Rows * 31)) % places) * dtype.BlockBytes;
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

        pattern = new NativeBuffer((nuint)(PatternElements / dtype.BlockElements * dtype.BlockBytes));
        if (dtype.IsBlock)
        {
            SyntheticBlocks.Fill(dtype, pattern.Span<byte>(), 1 / MathF.Sqrt(columns), new Random(Seed + columns));
        }
        else
        {
            Fill(pattern, dtype, key == 0 ? 1 : MathF.Sqrt(3f / columns));
        }

        _patterns.Add((key, dtype), pattern);
        return pattern;
    }

    private void Fill(NativeBuffer pattern, DType dtype, float most)
    {
        if (_uniform is null)
        {
            var random = new Random(Seed);
            _uniform = new float[PatternElements];
            for (int i = 0; i < _uniform.Length; i++)
            {
                _uniform[i] = (random.NextSingle() * 2) - 1;
            }
        }

        for (int i = 0; i < PatternElements; i++)
        {
            float v = _uniform[i] * most;
            switch (dtype)
            {
                case DType.F32:
                    pattern.Span<float>()[i] = v;
                    break;
                case DType.F16:
                    pattern.Span<Half>()[i] = (Half)v;
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
    }

    private NativeBuffer Own(NativeBuffer buffer)
    {
        _buffers.Add(buffer);
        return buffer;
    }
}
