using Hadal.Graph.Cpu.Packing;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>
/// The weights a graph asks for, found in a checkpoint, checked, and bound for the CPU. Matrices stay where they lie (memory-mapped) unless converted;
/// vectors become float32. The tensor source must outlive this.
/// </summary>
public sealed unsafe class CpuWeights : IDisposable
{
    private readonly ITensorSource _source;
    private readonly WorkerPool _pool;
    private readonly CpuOptions _options;
    private readonly StoredWeights _stored;
    private readonly Dictionary<string, WeightMatrix> _matrices = new(StringComparer.Ordinal);
    private readonly Dictionary<string, WeightMatrix> _converted = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PackedMatrix> _packed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PackedLatentHeads> _packedHeads = new(StringComparer.Ordinal);
    private readonly NativeArena _arena = new();
    private readonly PackedKernels? _kernels;
    private readonly PackCache? _cache;
    private readonly Dictionary<string, NativeBuffer> _vectors = new(StringComparer.Ordinal);
    private readonly List<NativeBuffer> _owned = [];
    private readonly HashSet<string> _alsoRead = new(StringComparer.Ordinal);

    private CpuWeights(ITensorSource source, (int Rows, int Columns)? fp8Block, WorkerPool pool, PackedKernels? kernels, CpuOptions options)
    {
        _kernels = kernels;
        _source = source;
        _stored = new StoredWeights(source, fp8Block);
        _pool = pool;
        _options = options;
        _cache = kernels is null || options.PackCache is null ? null : new PackCache(options.PackCache, pool, options.Notice);
    }

    /// <summary>What was read from and written to the cache of packed weights; null without one.</summary>
    public PackCacheUse? CacheUse => _cache?.Use;

    /// <summary>Bytes of weights as they are computed with, scales included.</summary>
    public long ByteLength { get; private set; }

    /// <summary>Binds every weight of the specs.</summary>
    /// <param name="specs">What the model asks for.</param>
    /// <param name="linear">Names of those that are matrices of linear operations or experts, which conversion is for.</param>
    /// <param name="packable">Names of those of them that will be read packed, where their type can be.</param>
    /// <param name="alsoRead">Names of those that other operations read as stored (a tied embedding).</param>
    /// <param name="source">Where they lie.</param>
    /// <param name="fp8Block">Block of the e4m3 scales, where the checkpoint has them.</param>
    /// <param name="pool">Workers for conversion and preloading.</param>
    /// <param name="kernels">Emitted kernels to pack for, or null.</param>
    /// <param name="options">Conversion and preloading.</param>
    /// <param name="progress">Told after each weight.</param>
    /// <exception cref="HadalException">One is missing, or of another shape, or of a type that cannot be computed with.</exception>
    public static CpuWeights Bind(
        IReadOnlyCollection<WeightSpec> specs,
        IReadOnlySet<string> linear,
        IReadOnlySet<string> packable,
        IReadOnlySet<string> alsoRead,
        ITensorSource source,
        (int Rows, int Columns)? fp8Block,
        WorkerPool pool,
        PackedKernels? kernels,
        CpuOptions options,
        IProgress<LoadProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var weights = new CpuWeights(source, fp8Block, pool, kernels, options);
        try
        {
            weights._alsoRead.UnionWith(alsoRead);
            var tensors = specs.Select(s => (Spec: s, Tensor: weights._stored.Find(s))).ToList();
            long total = tensors.Sum(t => t.Tensor.ByteLength);
            long done = 0;
            for (int i = 0; i < tensors.Count; i++)
            {
                (WeightSpec spec, StoredTensor tensor) = tensors[i];
                cancellationToken.ThrowIfCancellationRequested();
                if (options.Preload && i + 1 < tensors.Count)
                {
                    // The disk need not wait until this one is packed, or its packed bytes are read.
                    source.Prefetch(tensors[i + 1].Tensor);
                }

                weights.BindOne(spec, tensor, linear.Contains(spec.Name), packable.Contains(spec.Name));
                done += tensor.ByteLength;
                progress?.Report(new LoadProgress(done, total, spec.Name));
            }

            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>The matrix as linear operations and experts use it.</summary>
    public WeightMatrix Linear(WeightSpec spec) => _converted.TryGetValue(spec.Name, out WeightMatrix w) ? w : _matrices[spec.Name];

    /// <summary>Bytes a linear operation or expert reads of this weight, scales included.</summary>
    public static long ByteLengthOf(in WeightMatrix w) => w.ByteLength + (w.ScaleLayout switch
    {
        ScaleLayout.PerRow => 4L * w.Rows,
        ScaleLayout.Block => 4L * w.ScaleStride * ((w.Rows + w.ScaleBlockRows - 1) / w.ScaleBlockRows),
        _ => 0,
    });

    /// <summary>The matrix as emitted kernels read it, or null where it is computed with as <see cref="Linear"/> says.</summary>
    public PackedMatrix? Packed(WeightSpec spec) => _packed.GetValueOrDefault(spec.Name);

    /// <summary>Both halves of a latent up-projection by head, where <see cref="PackHeads"/> packed it; else null.</summary>
    public PackedLatentHeads? PackedHeads(WeightSpec spec) => _packedHeads.GetValueOrDefault(spec.Name);

    /// <summary>Packs a latent up-projection by head, where there are emitted kernels for its type. Its stored bytes are not read afterwards.</summary>
    internal PackedLatentHeads? PackHeads(WeightSpec kvB, MlaShape shape)
    {
        if (PackedHeads(kvB) is { } done)
        {
            return done;
        }

        WeightMatrix matrix = _matrices[kvB.Name];
        if (KernelPlan.HeadKindOf(matrix, _kernels) is not { } kind)
        {
            return null;
        }

        PackedLatentHeads heads = LatentHeadPacker.Reserve(matrix, kind, shape, _arena);
        if (_cache is null)
        {
            LatentHeadPacker.Fill(_pool, matrix, shape, heads);
        }
        else
        {
            PackKey key = PackKey.Of(_pool, matrix, shape, heads);
            NativeRegion[] memory = heads.Storage();
            if (!_cache.TryRead(key, memory))
            {
                LatentHeadPacker.Fill(_pool, matrix, shape, heads);
                _cache.Write(key, memory);
            }
        }

        _packedHeads.Add(kvB.Name, heads);
        ByteLength += heads.ByteLength - matrix.ByteLength;
        if (_source.TryGet(kvB.Name, out StoredTensor? tensor))
        {
            _source.Release(tensor);
        }

        return heads;
    }

    /// <summary>Waits until the cache has what was packed for it, and tells what it could not have. Nothing is packed afterwards.</summary>
    internal void CompleteCache(CancellationToken cancellationToken) => _cache?.Complete(cancellationToken);

    /// <summary>The matrix as stored.</summary>
    public WeightMatrix Matrix(WeightSpec spec) => _matrices[spec.Name];

    public ReadOnlyMemoryF32 Vector(WeightSpec spec)
    {
        NativeBuffer buffer = _vectors[spec.Name];
        return new ReadOnlyMemoryF32(buffer.As<float>(), spec.Rows);
    }

    public void Dispose()
    {
        // It may be writing what lies in the arena.
        _cache?.Dispose();
        foreach (NativeBuffer buffer in _owned)
        {
            buffer.Dispose();
        }

        _owned.Clear();
        _packed.Clear();
        _packedHeads.Clear();
        _arena.Dispose();
    }

    private void BindOne(WeightSpec spec, StoredTensor tensor, bool linear, bool pack)
    {
        WeightMatrix matrix = View(spec, tensor);
        if (spec.IsVector)
        {
            NativeBuffer buffer = Own(NativeBuffer.Of<float>(spec.Rows));
            WeightDecoder.DecodeRow(matrix, 0, 0, spec.Rows, buffer.As<float>());
            _vectors[spec.Name] = buffer;
            ByteLength += (long)buffer.ByteLength;
            return;
        }

        _matrices[spec.Name] = matrix;
        if (pack && KernelPlan.KindOf(spec, matrix, _kernels, _options) is { } kind)
        {
            PackedMatrix packed = Pack(matrix, kind);
            _packed[spec.Name] = packed;
            ByteLength += packed.ByteLength;
            if (!_alsoRead.Contains(spec.Name))
            {
                // Packed, it is not read again: the memory of the stored bytes can go.
                _source.Release(tensor);
            }

            return;
        }

        if (_options.Preload)
        {
            var touch = new TouchWork(tensor.Data, tensor.ByteLength);
            _pool.Run(ref touch);
            GC.KeepAlive(touch.Sum);
        }

        ByteLength += matrix.ByteLength;
        if (linear && _options.Weights == WeightConversion.Int8 && !spec.KeepPrecision && matrix.DType != DType.I8)
        {
            NativeBuffer values = Own(new NativeBuffer((nuint)spec.NumElements));
            NativeBuffer scales = Own(NativeBuffer.Of<float>(spec.Rows));
            Int8Quantizer.Quantize(_pool, matrix, (sbyte*)values.Pointer, scales.As<float>());
            _converted[spec.Name] = new WeightMatrix
            {
                Data = values.Pointer,
                DType = DType.I8,
                Rows = spec.Rows,
                Columns = spec.Columns,
                RowBytes = spec.Columns,
                Scales = scales.As<float>(),
                ScaleLayout = ScaleLayout.PerRow,
            };
            ByteLength += spec.NumElements + (4L * spec.Rows) - matrix.ByteLength;
        }
    }

    private PackedMatrix Pack(in WeightMatrix matrix, PackedKind kind)
    {
        PackedMatrix packed = WeightPacker.Reserve(matrix, kind, _arena);
        if (_cache is null)
        {
            WeightPacker.Fill(_pool, matrix, packed);
            return packed;
        }

        PackKey key = PackKey.Of(_pool, matrix, packed);
        if (!_cache.TryRead(key, packed.Storage))
        {
            WeightPacker.Fill(_pool, matrix, packed);
            _cache.Write(key, packed.Storage);
        }

        return packed;
    }

    private WeightMatrix View(WeightSpec spec, StoredTensor tensor)
    {
        WeightMatrix matrix = _stored.Describe(spec, tensor, out StoredTensor? scales);
        return scales is null ? matrix : matrix with { Scales = Scales(scales) };
    }

    private float* Scales(StoredTensor scale)
    {
        int count = checked((int)scale.NumElements);
        NativeBuffer buffer = Own(NativeBuffer.Of<float>(count));
        var row = new WeightMatrix { Data = scale.Data, DType = scale.DType, Rows = 1, Columns = count, RowBytes = (nint)scale.ByteLength };
        WeightDecoder.DecodeRow(row, 0, 0, count, buffer.As<float>());
        ByteLength += (long)buffer.ByteLength;
        return buffer.As<float>();
    }

    private NativeBuffer Own(NativeBuffer buffer)
    {
        _owned.Add(buffer);
        return buffer;
    }

    private struct TouchWork(byte* data, long length) : IWork
    {
        private const long PageBytes = 4096;

        public long Sum;

        public void Run(int worker, int numWorkers)
        {
            long share = (((length / PageBytes) / numWorkers) + 1) * PageBytes;
            long sum = 0;
            for (long i = worker * share; i < Math.Min(length, (worker + 1) * share); i += PageBytes)
            {
                sum += data[i];
            }

            Interlocked.Add(ref Sum, sum);
        }
    }
}
