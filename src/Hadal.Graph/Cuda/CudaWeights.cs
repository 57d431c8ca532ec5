using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cuda;

/// <summary>
/// The weights a graph asks for, found in a checkpoint, checked, and laid out in a card's memory as its kernels read them: matrices that are multiplied
/// together stacked, vectors as float32, embeddings and latent up-projections as bf16, or as float32 where activations are.
/// </summary>
internal sealed unsafe class CudaWeights : IDisposable
{
    private const int Fp8BlockSide = 128;

    private readonly ITensorSource _source;
    private readonly StoredWeights _stored;
    private readonly CudaOptions _options;
    private readonly DeviceArena _arena;
    private readonly DeviceUploader _uploader;
    private readonly IProgress<LoadProgress>? _progress;
    private readonly Dictionary<string, nint> _vectors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DeviceWeight> _plain = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DeviceMatrix> _floats = new(StringComparer.Ordinal);
    private readonly Dictionary<nint, DeviceWeight> _rests = [];
    private readonly bool _f32;
    private readonly List<NativeBuffer> _scales = [];
    private readonly Dictionary<string, long> _bytes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _pending;
    private readonly long _total;
    private long _done;

    /// <param name="context">The card.</param>
    /// <param name="source">Where the weights lie.</param>
    /// <param name="fp8Block">Block of the e4m3 scales, where the checkpoint has them.</param>
    /// <param name="graph">How often each weight will be asked for: its stored bytes are let go after the last time.</param>
    /// <param name="pool">Decodes and copies.</param>
    /// <param name="options">Conversion.</param>
    /// <param name="progress">Told after each weight.</param>
    public CudaWeights(CudaContext context, ITensorSource source, (int Rows, int Columns)? fp8Block, ModelGraph graph, WorkerPool pool, CudaOptions options, IProgress<LoadProgress>? progress)
    {
        _source = source;
        _stored = new StoredWeights(source, fp8Block);
        _options = options;
        _f32 = options.ActivationDType == DType.F32;
        _progress = progress;
        _arena = new DeviceArena(context);
        _uploader = new DeviceUploader(context, pool);
        _pending = graph.Nodes.SelectMany(n => n.Op.Weights).GroupBy(w => w.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        _total = graph.Weights.Sum(w => _stored.Find(w).ByteLength);
    }

    /// <summary>Bytes of weights as they are computed with, scales included.</summary>
    public long ByteLength => _bytes.Values.Sum();

    /// <summary>Bytes the operations read of a weight, scales included.</summary>
    public long ByteLengthOf(WeightSpec spec) => _bytes.GetValueOrDefault(spec.Name);

    /// <summary>Checks a weight that no operation uses yet.</summary>
    public void Check(WeightSpec spec) => _stored.Describe(spec, _stored.Find(spec), out _);

    /// <summary>float32 [Rows]</summary>
    public nint Vector(WeightSpec spec)
    {
        if (!_vectors.TryGetValue(spec.Name, out nint vector))
        {
            vector = Floats(spec.Rows, destination => DecodeVector(spec, destination));
            _vectors.Add(spec.Name, vector);
            _bytes[spec.Name] = 4L * spec.Rows;
        }

        Done(spec);
        return vector;
    }

    /// <summary>Numbers that are no weight of the checkpoint.</summary>
    public nint Constants(float[] values) => Floats(values.Length, destination => values.CopyTo(new Span<float>(destination, values.Length)));

    /// <summary>The matrix as rows of bf16, or of float32 where activations are.</summary>
    public DeviceMatrix Rows(WeightSpec spec)
    {
        if (_f32)
        {
            return FloatRows(spec);
        }

        DeviceWeight weight = Bf16(spec);
        return new DeviceMatrix(weight.Data, DType.Bf16, weight.Rows, weight.Columns, (int)(weight.RowBytes / sizeof(ushort)));
    }

    /// <summary>The biases of stacked parts, one behind the other, zeros where a part has none; 0 where none has one.</summary>
    public nint Biases(IReadOnlyList<LinearPart> parts)
    {
        if (parts.All(p => p.Bias is null))
        {
            return 0;
        }

        nint biases = Floats(parts.Sum(p => p.Weight.Rows), destination =>
        {
            foreach (LinearPart part in parts)
            {
                if (part.Bias is { } bias)
                {
                    DecodeVector(bias, destination);
                }
                else
                {
                    new Span<float>(destination, part.Weight.Rows).Clear();
                }

                destination += part.Weight.Rows;
            }
        });
        foreach (WeightSpec bias in parts.Where(p => p.Bias is not null).Select(p => p.Bias!))
        {
            _bytes[bias.Name] = 4L * bias.Rows;
            Done(bias);
        }

        return biases;
    }

    /// <summary>The matrix in bf16, for operations that read rows or heads of it.</summary>
    public DeviceWeight Bf16(WeightSpec spec)
    {
        if (!_plain.TryGetValue(spec.Name, out DeviceWeight weight))
        {
            weight = Upload([spec], DeviceWeightKind.Bf16);
            _plain.Add(spec.Name, weight);
        }

        Done(spec);
        return weight;
    }

    /// <summary>Matrices of a linear operation, stacked by rows, in as many stacks as their types ask for.</summary>
    /// <returns>The stacks, with the first output column of each.</returns>
    public IReadOnlyList<(DeviceWeight Weight, int FirstRow)> Linear(IReadOnlyList<WeightSpec> parts)
    {
        List<(DeviceWeight, int)> stacks = [];
        int first = 0;
        for (int i = 0; i < parts.Count;)
        {
            DeviceWeightKind kind = KindOf(parts[i]);
            int end = i + 1;
            // Blocks of scales must not straddle two matrices.
            while (end < parts.Count && KindOf(parts[end]) == kind && (kind != DeviceWeightKind.Fp8Block || parts[end - 1].Rows % Fp8BlockSide == 0))
            {
                end++;
            }

            WeightSpec[] stack = [.. parts.Skip(i).Take(end - i)];
            // A tied head is the embedding's own memory.
            DeviceWeight weight = stack.Length == 1 && kind == DeviceWeightKind.Bf16 && _plain.TryGetValue(stack[0].Name, out DeviceWeight plain) ? plain : Upload(stack, kind);
            stacks.Add((weight, first));
            first += stack.Sum(s => s.Rows);
            foreach (WeightSpec spec in stack)
            {
                Done(spec);
            }

            i = end;
        }

        return stacks;
    }

    /// <summary>The experts' matrices, stacked expert by expert; for two matrices an expert, those of one expert lie together.</summary>
    /// <returns>All rows as one weight; an expert has <c>Rows / count</c> of them.</returns>
    public DeviceWeight Experts(params IReadOnlyList<WeightSpec>[] matrices)
    {
        int count = matrices[0].Count;
        WeightSpec[] stack = [.. Enumerable.Range(0, count).SelectMany(e => matrices.Select(m => m[e]))];
        DeviceWeightKind[] kinds = [.. stack.Select(KindOf).Distinct()];
        bool stackable = kinds is [not DeviceWeightKind.Fp8Block] || (kinds is [DeviceWeightKind.Fp8Block] && stack.All(s => s.Rows % Fp8BlockSide == 0));
        DeviceWeight weight = Upload(stack, stackable ? kinds[0] : DeviceWeightKind.Bf16);
        foreach (WeightSpec spec in stack)
        {
            Done(spec);
        }

        return weight;
    }

    /// <summary>What rounding a weight to bf16 left, in bf16; default where nothing was rounded, or activations are bf16 anyway.</summary>
    public DeviceWeight RestOf(in DeviceWeight weight) => _rests.GetValueOrDefault(weight.Data);

    /// <summary>Waits until everything is on the card.</summary>
    public void Finish()
    {
        _uploader.Dispose();
        FreeScales();
    }

    public void Dispose()
    {
        _uploader.Dispose();
        FreeScales();
        _arena.Dispose();
    }

    private void FreeScales()
    {
        _scales.ForEach(b => b.Dispose());
        _scales.Clear();
    }

    /// <summary>How these matrices will lie on the card.</summary>
    public IReadOnlySet<DeviceWeightKind> Kinds(IEnumerable<WeightSpec> matrices) => matrices.Select(KindOf).ToHashSet();

    private DeviceWeightKind KindOf(WeightSpec spec)
    {
        WeightMatrix matrix = _stored.Describe(spec, _stored.Find(spec), out _);
        return spec.KeepPrecision ? DeviceWeightKind.Bf16 : _options.Weights switch
        {
            CudaWeightConversion.Int8 => DeviceWeightKind.Int8Row,
            CudaWeightConversion.Fp8 => DeviceWeightKind.Fp8Row,
            CudaWeightConversion.Int4 => DeviceWeightKind.Int4Group,
            _ => DeviceWeightPacker.KindFor(matrix),
        };
    }

    private DeviceMatrix FloatRows(WeightSpec spec)
    {
        if (!_floats.TryGetValue(spec.Name, out DeviceMatrix rows))
        {
            WeightMatrix source = Source(spec);
            int columns = spec.Columns;
            int stride = (columns + 7) / 8 * 8;
            rows = new DeviceMatrix(_arena.Allocate(4L * spec.Rows * stride), DType.F32, spec.Rows, columns, stride);
            _uploader.Upload(rows.Data, spec.Rows, 4L * stride, (row, destination) =>
            {
                WeightDecoder.DecodeRow(source, row, 0, columns, (float*)destination);
                new Span<float>((float*)destination + columns, stride - columns).Clear();
            });
            _floats.Add(spec.Name, rows);
            _bytes[spec.Name] = _bytes.GetValueOrDefault(spec.Name) + (4L * spec.Rows * stride);
        }

        Done(spec);
        return rows;
    }

    private DeviceWeight Upload(IReadOnlyList<WeightSpec> stack, DeviceWeightKind kind, bool rest = false)
    {
        int rows = checked(stack.Sum(s => s.Rows));
        int columns = stack[0].Columns;
        WeightMatrix[] sources = [.. stack.Select(Source)];
        DeviceWeightLayout layout = DeviceWeightPacker.Layout(kind, rows, columns, sources);
        nint data = _arena.Allocate(layout.DataBytes);
        nint scales = layout.ScaleBytes > 0 ? _arena.Allocate(layout.ScaleBytes) : 0;
        nint mins = layout.MinBytes > 0 ? _arena.Allocate(layout.MinBytes) : 0;
        var packer = new DeviceWeightPacker(layout, sources, rest);
        _uploader.Upload(data, layout.Units, layout.DataBytes / layout.Units, packer.FillData);
        if (scales != 0)
        {
            _uploader.Upload(scales, layout.ScaleUnits, layout.ScaleBytes / layout.ScaleUnits, packer.FillScales);
        }

        if (mins != 0)
        {
            _uploader.Upload(mins, layout.ScaleUnits, layout.MinBytes / layout.ScaleUnits, packer.FillMins);
        }

        long bytes = layout.DataBytes + layout.ScaleBytes + layout.MinBytes;
        foreach (WeightSpec spec in stack)
        {
            _bytes[spec.Name] = _bytes.GetValueOrDefault(spec.Name) + (bytes * spec.Rows / rows);
        }

        if (_f32 && !rest && kind == DeviceWeightKind.Bf16 && sources.Any(s => s.DType != DType.Bf16))
        {
            _rests.Add(data, Upload(stack, kind, rest: true));
        }

        return layout.At(data, scales, mins);
    }

    private WeightMatrix Source(WeightSpec spec)
    {
        WeightMatrix matrix = _stored.Describe(spec, _stored.Find(spec), out StoredTensor? scales);
        if (scales is null)
        {
            return matrix;
        }

        int count = checked((int)scales.NumElements);
        NativeBuffer buffer = NativeBuffer.Of<float>(count);
        _scales.Add(buffer);
        var row = new WeightMatrix { Data = scales.Data, DType = scales.DType, Rows = 1, Columns = count, RowBytes = (nint)scales.ByteLength };
        WeightDecoder.DecodeRow(row, 0, 0, count, buffer.As<float>());
        return matrix with { Scales = buffer.As<float>() };
    }

    private void DecodeVector(WeightSpec spec, float* destination)
        => WeightDecoder.DecodeRow(_stored.Describe(spec, _stored.Find(spec), out _), 0, 0, spec.Rows, destination);

    private nint Floats(int count, FillFloats fill)
    {
        nint vector = _arena.Allocate(4L * count);
        // Vectors are small: one row, filled by one thread.
        _uploader.Upload(vector, 1, 4L * count, (_, destination) => fill((float*)destination));
        return vector;
    }

    /// <summary>Notes that one user of the weight has it: after the last, its stored bytes may go.</summary>
    private void Done(WeightSpec spec)
    {
        if (--CollectionsMarshal.GetValueRefOrNullRef(_pending, spec.Name) > 0)
        {
            return;
        }

        StoredTensor tensor = _stored.Find(spec);
        _done += tensor.ByteLength;
        _source.Release(tensor);
        _progress?.Report(new LoadProgress(_done, _total, spec.Name));
    }

    private delegate void FillFloats(float* destination);
}
