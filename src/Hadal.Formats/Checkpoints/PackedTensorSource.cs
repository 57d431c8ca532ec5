using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Hadal.Numerics;

namespace Hadal.Formats.Checkpoints;

/// <summary>
/// The matrices that compressed-tensors packs into 32-bit words (<c>weight_packed</c>, <c>weight_scale</c>, <c>weight_shape</c>; format pack-quantized), in layouts that there are
/// kernels for: 4 bits with a scale a group become Q4_0, 8 bits with a scale a group Q8_0, 8 bits with a scale a row int8 with row scales. Other tensors are handed through.
/// </summary>
/// <remarks>
/// <para>Element k of a row is in word k / n at bit (k mod n)·bits, n to a word, as its value plus 2^(bits − 1). Source: github.com/vllm-project/compressed-tensors,
/// compressors/quantized_compressors/pack_quantized.py (pack_to_int32).</para>
/// <para>No value changes. A group's scale is repeated for each 32 of its columns and held as float16: bf16 scales below 2^-14 may round, none that `hadal quantize` writes does.
/// A matrix is made when it is asked for, and dropped when it is released. Thread-safe but for <see cref="Dispose"/>.</para>
/// </remarks>
public sealed unsafe class PackedTensorSource : ITensorSource
{
    private const string PackedSuffix = "_packed";
    private const int GroupElements = 32;

    private readonly HashSet<string> _packed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (StoredTensor Tensor, NativeBuffer Memory)> _made = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly List<string> _names = [];

    private PackedTensorSource(ITensorSource inner)
    {
        Inner = inner;
        foreach (string name in inner.Names)
        {
            if (name.EndsWith(".weight" + PackedSuffix, StringComparison.Ordinal))
            {
                string weight = name[..^PackedSuffix.Length];
                _packed.Add(weight);
                _names.Add(weight);
            }
            else
            {
                _names.Add(name);
            }
        }
    }

    /// <summary>The tensors as stored. Owned by this.</summary>
    public ITensorSource Inner { get; }

    public string Description => Inner.Description;

    public IReadOnlyCollection<string> Names => _names;

    /// <summary>The source itself where it has no packed matrices.</summary>
    public static ITensorSource Wrap(ITensorSource source)
        => source.Names.Any(n => n.EndsWith(".weight" + PackedSuffix, StringComparison.Ordinal)) ? new PackedTensorSource(source) : source;

    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        if (!_packed.Contains(name))
        {
            return Inner.TryGet(name, out tensor);
        }

        lock (_lock)
        {
            if (!_made.TryGetValue(name, out (StoredTensor Tensor, NativeBuffer Memory) made))
            {
                made = Make(name);
                _made.Add(name, made);
            }

            tensor = made.Tensor;
            return true;
        }
    }

    public void Prefetch(StoredTensor tensor)
    {
        if (!_packed.Contains(tensor.Name))
        {
            Inner.Prefetch(tensor);
        }
    }

    public void Release(StoredTensor tensor)
    {
        if (!_packed.Contains(tensor.Name))
        {
            Inner.Release(tensor);
            return;
        }

        lock (_lock)
        {
            if (_made.Remove(tensor.Name, out (StoredTensor Tensor, NativeBuffer Memory) made))
            {
                made.Memory.Dispose();
            }
        }
    }

    public void Dispose()
    {
        foreach ((_, NativeBuffer memory) in _made.Values)
        {
            memory.Dispose();
        }

        _made.Clear();
        Inner.Dispose();
    }

    private (StoredTensor Tensor, NativeBuffer Memory) Make(string name)
    {
        StoredTensor packed = Part(name + PackedSuffix);
        StoredTensor scale = Part(name + "_scale");
        StoredTensor shape = Part(name + "_shape");
        foreach (string suffix in (ReadOnlySpan<string>)["_zero_point", "_g_idx"])
        {
            if (Inner.TryGet(name + suffix, out StoredTensor? other))
            {
                throw new HadalException($"{other.Origin}: {name}{suffix} is there; only symmetric quantisation in the order of the columns is supported.");
            }
        }

        (long rows, long columns) = ReadShape(shape);
        if (packed.DType is not (DType.I32 or DType.U32) || packed.Shape is not [var r, var words] || r != rows || words == 0 || columns == 0)
        {
            throw new HadalException($"{packed.Origin}: {packed.Name} is {packed.DType} [{string.Join(", ", packed.Shape)}]; expected I32 [{rows}, words] for the shape [{rows}, {columns}] of {shape.Name}.");
        }

        int bits = words == (columns + 7) / 8 ? 4 : words == (columns + 3) / 4 ? 8
            : throw new HadalException($"{packed.Origin}: {packed.Name} has {words} words a row for {columns} columns; expected {(columns + 7) / 8} (4 bits) or {(columns + 3) / 4} (8 bits).");
        if (scale.DType is not (DType.F32 or DType.F16 or DType.Bf16) || scale.NumElements == 0 || scale.Shape[0] != rows || scale.NumElements % rows != 0 || columns % (scale.NumElements / rows) != 0)
        {
            throw new HadalException($"{scale.Origin}: {scale.Name} is {scale.DType} [{string.Join(", ", scale.Shape)}]; expected F32, F16 or BF16 [{rows}, groups] with groups dividing {columns} columns.");
        }

        long groups = scale.NumElements / rows;
        if (bits == 8 && groups == 1)
        {
            return Int8Rows(name, packed, rows, columns);
        }

        long group = columns / groups;
        if (group % GroupElements != 0)
        {
            throw new HadalException($"{packed.Origin}: {packed.Name} has groups of {group} columns; the kernels take multiples of {GroupElements}.");
        }

        return Blocks(name, packed, scale, bits, rows, columns, group);
    }

    /// <summary>Offset binary to two's complement: the top bit flips.</summary>
    private static (StoredTensor, NativeBuffer) Int8Rows(string name, StoredTensor packed, long rows, long columns)
    {
        var memory = new NativeBuffer(checked((nuint)rows * (nuint)columns));
        long rowBytes = packed.Shape[1] * 4;
        for (long row = 0; row < rows; row++)
        {
            byte* from = packed.Data + (row * rowBytes);
            byte* to = memory.Pointer + (row * columns);
            for (long k = 0; k < columns; k++)
            {
                to[k] = (byte)(from[k] ^ 0x80);
            }
        }

        return (new StoredTensor(name, DType.I8, [rows, columns], memory, packed.Origin), memory);
    }

    private static (StoredTensor, NativeBuffer) Blocks(string name, StoredTensor packed, StoredTensor scale, int bits, long rows, long columns, long group)
    {
        DType dtype = bits == 4 ? DType.Q4_0 : DType.Q8_0;
        long rowBytes = dtype.RowBytes(columns);
        var memory = new NativeBuffer(checked((nuint)rows * (nuint)rowBytes));
        long packedRowBytes = packed.Shape[1] * 4;
        long groups = columns / group;
        for (long row = 0; row < rows; row++)
        {
            byte* from = packed.Data + (row * packedRowBytes);
            byte* to = memory.Pointer + (row * rowBytes);
            for (long block = 0; block < columns / GroupElements; block++)
            {
                float s = ScaleAt(scale, (row * groups) + (block * GroupElements / group));
                if (!(MathF.Abs(s) <= 65504))
                {
                    memory.Dispose();
                    throw new HadalException($"{scale.Origin}: {scale.Name} holds {s} in row {row}; expected a number that float16 can hold.");
                }

                Unsafe.WriteUnaligned(to, (Half)s);
                to += 2;
                if (bits == 8)
                {
                    for (int i = 0; i < GroupElements; i++)
                    {
                        to[i] = (byte)(from[i] ^ 0x80);
                    }

                    from += GroupElements;
                    to += GroupElements;
                    continue;
                }

                // Two neighbours a byte there; here the first sixteen in the low halves and the last sixteen in the high ones.
                for (int i = 0; i < 16; i++)
                {
                    int low = (from[i / 2] >> (i % 2 * 4)) & 15;
                    int high = (from[8 + (i / 2)] >> (i % 2 * 4)) & 15;
                    to[i] = (byte)(low | (high << 4));
                }

                from += 16;
                to += 16;
            }
        }

        return (new StoredTensor(name, dtype, [rows, columns], memory, packed.Origin), memory);
    }

    private static float ScaleAt(StoredTensor scale, long index) => scale.DType switch
    {
        DType.F32 => Unsafe.ReadUnaligned<float>(scale.Data + (index * 4)),
        DType.F16 => (float)Unsafe.ReadUnaligned<Half>(scale.Data + (index * 2)),
        _ => Bf16.ToSingle(Unsafe.ReadUnaligned<ushort>(scale.Data + (index * 2))),
    };

    private static (long Rows, long Columns) ReadShape(StoredTensor shape)
    {
        if (shape.NumElements != 2 || shape.DType is not (DType.I64 or DType.I32))
        {
            throw new HadalException($"{shape.Origin}: {shape.Name} is {shape.DType} [{string.Join(", ", shape.Shape)}]; expected two whole numbers, I64 or I32.");
        }

        (long rows, long columns) = shape.DType == DType.I64
            ? (Unsafe.ReadUnaligned<long>(shape.Data), Unsafe.ReadUnaligned<long>(shape.Data + 8))
            : (Unsafe.ReadUnaligned<int>(shape.Data), Unsafe.ReadUnaligned<int>(shape.Data + 4));
        return rows is > 0 and <= int.MaxValue && columns is > 0 and <= int.MaxValue
            ? (rows, columns)
            : throw new HadalException($"{shape.Origin}: {shape.Name} says [{rows}, {columns}]; expected positive numbers.");
    }

    private StoredTensor Part(string name) => Inner.TryGet(name, out StoredTensor? tensor)
        ? tensor
        : throw new HadalException($"{Inner.Description}: tensor {name} is missing beside a packed matrix; the checkpoint is incomplete.");
}
