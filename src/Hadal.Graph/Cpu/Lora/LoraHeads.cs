using Hadal.Kernels.Mla;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu.Lora;

/// <summary>
/// The pair of kv_b under absorption. kv_b = [W_UK; W_UV] a head; absorbing W_UK + B_K·A gives the query q·W_UK + (q·B_K)·A, and expanding with W_UV + B_V·A
/// gives o·W_UVᵀ + (o·Aᵀ)·B_Vᵀ: the pages hold latents, which no adapter of kv_b changes.
/// </summary>
internal sealed unsafe class LoraHeads : IDisposable
{
    private readonly LoraMatrices _pair;
    private readonly NativeBuffer _transposed;
    private readonly MlaShape _shape;

    public LoraHeads(LoraMatrices pair, MlaShape shape)
    {
        _pair = pair;
        _shape = shape;
        int r = pair.Rank;
        int dn = shape.QkNopeHeadDim;
        // [H, r, Dn], then [C, r].
        _transposed = NativeBuffer.Of<float>(((nint)shape.NumHeads * r * dn) + ((nint)shape.KvLoraRank * r));
        float* to = _transposed.As<float>();
        for (int h = 0; h < shape.NumHeads; h++)
        {
            float* b = pair.BData + ((nint)h * (dn + shape.VHeadDim) * r);
            for (int j = 0; j < r; j++)
            {
                for (int n = 0; n < dn; n++)
                {
                    *to++ = b[((nint)n * r) + j];
                }
            }
        }

        for (int c = 0; c < shape.KvLoraRank; c++)
        {
            for (int j = 0; j < r; j++)
            {
                *to++ = pair.AData[((nint)j * shape.KvLoraRank) + c];
            }
        }
    }

    public int Rank => _pair.Rank;

    /// <summary>B_Kᵀ of a head: [r, Dn].</summary>
    public WeightMatrix KeysTransposed(int head) => LoraMatrices.Matrix(_transposed.As<float>() + ((nint)head * Rank * _shape.QkNopeHeadDim), Rank, _shape.QkNopeHeadDim);

    /// <summary>Aᵀ: [C, r].</summary>
    public WeightMatrix ATransposed => LoraMatrices.Matrix(_transposed.As<float>() + ((nint)_shape.NumHeads * Rank * _shape.QkNopeHeadDim), _shape.KvLoraRank, Rank);

    /// <summary>A: [r, C].</summary>
    public WeightMatrix A => _pair.A;

    /// <summary>B_V of a head: [Dv, r].</summary>
    public WeightMatrix Values(int head)
        => LoraMatrices.Matrix(_pair.BData + ((((nint)head * (_shape.QkNopeHeadDim + _shape.VHeadDim)) + _shape.QkNopeHeadDim) * Rank), _shape.VHeadDim, Rank);

    public void Dispose() => _transposed.Dispose();
}
