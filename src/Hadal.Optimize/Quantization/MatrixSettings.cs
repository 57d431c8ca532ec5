using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Optimize.Quantization;

/// <summary>How one matrix is quantised.</summary>
/// <param name="Format">To what.</param>
/// <param name="GroupSize">Columns with one scale, for int4 and int8-weight; 0 for the whole row.</param>
public sealed record MatrixSettings(WeightFormat Format, int GroupSize)
{
    /// <summary>Side of the blocks of e4m3 weights.</summary>
    public const int BlockSide = 128;

    /// <summary>Columns that kernels here take with one scale at the least.</summary>
    public const int MinGroup = 32;

    /// <summary>Columns of one scale in a row.</summary>
    public int Group(int columns) => Format is WeightFormat.Int4 or WeightFormat.Int8Weight && GroupSize > 0 ? GroupSize : columns;

    /// <summary>The tensors that a matrix becomes, main one first.</summary>
    /// <param name="name">Its name, ending in <c>.weight</c>.</param>
    /// <param name="rows">N.</param>
    /// <param name="columns">K.</param>
    /// <param name="deepSeekNames">Block scales are called <c>weight_scale_inv</c> as in DeepSeek's files, not <c>weight_scale</c>.</param>
    /// <exception cref="HadalException">The shape does not fit the format.</exception>
    public IReadOnlyList<TensorPlan> Plan(string name, int rows, int columns, bool deepSeekNames)
    {
        Check(name, rows, columns);
        int group = Group(columns);
        int blockRows = (rows + BlockSide - 1) / BlockSide;
        int blockColumns = (columns + BlockSide - 1) / BlockSide;
        return Format switch
        {
            WeightFormat.Bf16 => [new TensorPlan(name, DType.Bf16, [rows, columns])],
            WeightFormat.Fp8Block => [new TensorPlan(name, DType.F8E4M3, [rows, columns]), new TensorPlan(name + (deepSeekNames ? "_scale_inv" : "_scale"), DType.F32, [blockRows, blockColumns])],
            WeightFormat.Fp8Channel => [new TensorPlan(name, DType.F8E4M3, [rows, columns]), new TensorPlan(name + "_scale", DType.F32, [rows, 1])],
            WeightFormat.Int8 => [new TensorPlan(name, DType.I8, [rows, columns]), new TensorPlan(name + "_scale", DType.F32, [rows, 1])],
            WeightFormat.Int8Weight => Packed((columns + 3) / 4),
            WeightFormat.Int4 => Packed((columns + 7) / 8),
            _ => throw new NotSupportedException($"unknown format {Format}"),
        };

        IReadOnlyList<TensorPlan> Packed(int words) =>
        [
            new TensorPlan(name + "_packed", DType.I32, [rows, words]),
            new TensorPlan(name + "_scale", DType.Bf16, [rows, columns / group]),
            new TensorPlan(name + "_shape", DType.I64, [2]),
        ];
    }

    private void Check(string name, int rows, int columns)
    {
        int group = Group(columns);
        bool packed = Format is WeightFormat.Int4 || (Format == WeightFormat.Int8Weight && GroupSize > 0);
        if (!packed)
        {
            return;
        }

        if (group % MinGroup != 0)
        {
            throw new HadalException($"{name}: groups of {group} columns; expected a multiple of {MinGroup}{(GroupSize == 0 ? ": give --group-size" : "")}.");
        }

        if (columns % group != 0)
        {
            int fits = group;
            while (fits > MinGroup && columns % fits != 0)
            {
                fits -= MinGroup;
            }

            throw new HadalException(
                $"{name}: [{rows}, {columns}] has rows of {columns} columns, which groups of {group} do not divide; {(columns % fits == 0 ? $"--group-size {fits} does" : $"no multiple of {MinGroup} does")}. Or keep this matrix in another format by a recipe.");
        }
    }
}
