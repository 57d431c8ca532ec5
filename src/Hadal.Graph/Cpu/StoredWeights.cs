using Hadal.Graph.Ir;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>Weights as a checkpoint has them: found, checked and described by shape and type. Reads none of their bytes.</summary>
internal sealed unsafe class StoredWeights(ITensorSource source, (int Rows, int Columns)? fp8Block)
{
    /// <exception cref="HadalException">It is missing, or of another shape.</exception>
    public StoredTensor Find(WeightSpec spec)
    {
        if (!source.TryGet(spec.Name, out StoredTensor? tensor))
        {
            throw new HadalException($"{source.Description}: tensor {spec} is missing. The checkpoint has {source.Names.Count} tensors; it is incomplete, or its config.json describes another model.");
        }

        // A vector may be stored with a leading or trailing 1.
        long[] found = [.. tensor.Shape];
        bool fits = spec.IsVector
            ? tensor.NumElements == spec.Rows && found.Count(d => d != 1) <= 1
            : found.Length == 2 && found[0] == spec.Rows && found[1] == spec.Columns;
        if (!fits)
        {
            string expected = spec.IsVector ? $"[{spec.Rows}]" : $"[{spec.Rows}, {spec.Columns}]";
            throw new HadalException($"{tensor.Origin}: tensor {spec.Name} has shape [{string.Join(", ", found)}]; config.json asks for {expected}.");
        }

        return tensor;
    }

    /// <summary>The matrix without its scales' values, and the tensor that holds those where it has any.</summary>
    public WeightMatrix Describe(WeightSpec spec, StoredTensor tensor, out StoredTensor? scales)
    {
        scales = null;
        int columns = spec.IsVector ? spec.Rows : spec.Columns;
        if (tensor.DType is not (DType.F32 or DType.F16 or DType.Bf16 or DType.F8E4M3 or DType.F8E5M2 or DType.I8) && !tensor.DType.IsBlock)
        {
            throw new HadalException($"{tensor.Origin}: tensor {spec.Name} is {tensor.DType}; weights may be F32, F16, BF16, F8_E4M3, F8_E5M2, I8 or a GGUF block type.");
        }

        var matrix = new WeightMatrix
        {
            Data = tensor.Data,
            DType = tensor.DType,
            Rows = spec.IsVector ? 1 : spec.Rows,
            Columns = columns,
            RowBytes = (nint)tensor.DType.RowBytes(columns),
        };
        if (tensor.DType is not (DType.F8E4M3 or DType.F8E5M2 or DType.I8))
        {
            return matrix;
        }

        // DeepSeek calls the factor itself weight_scale_inv; compressed-tensors calls it weight_scale.
        string stem = spec.Name;
        if (!source.TryGet(stem + "_scale_inv", out StoredTensor? scale) && !source.TryGet(stem + "_scale", out scale))
        {
            throw new HadalException($"{tensor.Origin}: tensor {spec.Name} is {tensor.DType} and needs its scales, but neither {stem}_scale_inv nor {stem}_scale is there.");
        }

        long[] shape = [.. scale.Shape];
        if (scale.DType is not (DType.F32 or DType.Bf16 or DType.F16))
        {
            throw new HadalException($"{scale.Origin}: scales {scale.Name} are {scale.DType}; expected F32, BF16 or F16.");
        }

        scales = scale;
        // A checkpoint may mix both layouts: where a column of blocks could be a scale per row too (fewer than two rows a block), blocks it is.
        bool oneEachRow = scale.NumElements == spec.Rows && (shape.Length == 1 || (shape.Length == 2 && shape[1] == 1));
        bool blocks = fp8Block is { } b && shape.Length == 2 && shape[0] == (spec.Rows + b.Rows - 1) / b.Rows && shape[1] == (columns + b.Columns - 1) / b.Columns;
        if (oneEachRow && !blocks)
        {
            return matrix with { ScaleLayout = ScaleLayout.PerRow };
        }

        if (fp8Block is not { } block)
        {
            throw new HadalException($"{scale.Origin}: scales {scale.Name} have shape [{string.Join(", ", shape)}], but config.json names no quantization_config.weight_block_size; expected [{spec.Rows}] or [{spec.Rows}, 1].");
        }

        long expectedRows = (spec.Rows + block.Rows - 1) / block.Rows;
        long expectedColumns = (columns + block.Columns - 1) / block.Columns;
        if (shape.Length != 2 || shape[0] != expectedRows || shape[1] != expectedColumns)
        {
            throw new HadalException($"{scale.Origin}: scales {scale.Name} have shape [{string.Join(", ", shape)}]; a {spec} in blocks of {block.Rows}×{block.Columns} needs [{expectedRows}, {expectedColumns}].");
        }

        return matrix with
        {
            ScaleLayout = ScaleLayout.Block,
            ScaleBlockRows = block.Rows,
            ScaleBlockColumns = block.Columns,
            ScaleStride = (int)expectedColumns,
        };
    }
}
