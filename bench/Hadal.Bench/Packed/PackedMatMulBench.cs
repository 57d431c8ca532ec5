using BenchmarkDotNet.Attributes;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.Packed;
using Hadal.Numerics;

namespace Hadal.Bench.Packed;

/// <summary>The up projection of a 1.5B model, [8960, 1536]. For a few tokens as many matrices as no cache holds take turns, as layers do.</summary>
public class PackedMatMulBench : KernelBench
{
    private const int Rows = 8960, Columns = 1536;

    private static readonly int[] _firstColumns = [0];

    private PackedKernels _kernels = null!;
    private PackedMatrix[][] _weights = [];
    private ActivationTiles _tiles = null!;
    private MatrixF32 _x;
    private MatrixF32 _y;
    private int _next;

    [ParamsAllValues]
    public PackedKind Kind { get; set; }

    [Params(1, 4, 16, 512)]
    public int Tokens { get; set; }

    /// <summary>Rounding and arranging the activations is part of it.</summary>
    [Benchmark]
    public void Forward()
    {
        _next = (_next + 1) % _weights.Length;
        _tiles.Prepare(Pool, _x);
        PackedMatMul.Forward(Pool, _kernels, _tiles, _weights[_next], _firstColumns, default, _y);
    }

    protected override void Prepare()
    {
        _kernels = Own(new PackedKernels(CpuFeatures.Detect()));
        RandomWeights.Require(_kernels, Kind);
        NativeArena arena = Own(new NativeArena());
        _tiles = Own(new ActivationTiles(Kind));
        PackedMatrix first = RandomWeights.Pack(Pool, arena, Kind, Rows, Columns);
        // A prompt is bound by arithmetic: one matrix will do.
        int turns = Tokens > 64 ? 1 : (int)(ColdBytes / first.ByteLength) + 1;
        _weights = [[first], .. Enumerable.Range(1, turns - 1).Select(_ => new[] { RandomWeights.Pack(Pool, arena, Kind, Rows, Columns) })];
        _x = RandomMatrix(Tokens, Columns);
        _y = Matrix(Tokens, Rows);
        Does(first.ByteLength, 2.0 * Rows * Columns * Tokens, RandomWeights.Instruction(Kind));
    }
}
