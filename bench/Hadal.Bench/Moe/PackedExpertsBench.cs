using BenchmarkDotNet.Attributes;
using Hadal.Bench.Packed;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.Packed;
using Hadal.Numerics;

namespace Hadal.Bench.Moe;

/// <summary>Routed experts of V2-Lite's width and inner width, 6 of 32 a token; every call chooses others.</summary>
public unsafe class PackedExpertsBench : KernelBench
{
    private const int Experts = 32, TopK = 6, Width = 2048, Inner = 1408, Choices = 16;

    private PackedExperts _kernel = null!;
    private PackedExpertWeights _experts = null!;
    private MatrixF32 _x;
    private MatrixF32 _weights;
    private MatrixF32 _y;
    private int* _ids;
    private int _next;

    [Params(PackedKind.Bf16, PackedKind.Fp8Block, PackedKind.Int8, PackedKind.Int4Group32)]
    public PackedKind Kind { get; set; }

    [Params(1, 16, 512)]
    public int Tokens { get; set; }

    [Benchmark]
    public void Forward()
    {
        _next = (_next + 1) % Choices;
        _kernel.Forward(Pool, _x, _ids + (_next * Tokens * TopK), _weights, _experts, default, _y);
    }

    protected override void Prepare()
    {
        PackedKernels kernels = Own(new PackedKernels(CpuFeatures.Detect()));
        RandomWeights.Require(kernels, Kind);
        NativeArena arena = Own(new NativeArena());
        _kernel = Own(new PackedExperts(kernels));
        PackedMatrix[] All(int rows, int columns) => [.. Enumerable.Range(0, Experts).Select(_ => RandomWeights.Pack(Pool, arena, Kind, rows, columns))];
        _experts = new PackedExpertWeights(All(Inner, Width), All(Inner, Width), All(Width, Inner));
        _x = RandomMatrix(Tokens, Width);
        _y = Matrix(Tokens, Width);
        _weights = RandomMatrix(Tokens, TopK);
        _ids = Memory(4L * Choices * Tokens * TopK).As<int>();
        var random = new Random(Tokens);
        int[] all = [.. Enumerable.Range(0, Experts)];
        double touched = 0;
        for (int c = 0; c < Choices; c++)
        {
            var distinct = new HashSet<int>();
            for (int t = 0; t < Tokens; t++)
            {
                random.Shuffle(all);
                all.AsSpan(0, TopK).CopyTo(new Span<int>(_ids + (((c * Tokens) + t) * TopK), TopK));
                distinct.UnionWith(all.AsSpan(0, TopK).ToArray());
            }

            touched += (double)distinct.Count / Choices;
        }

        double bytes = touched * (_experts.Gate[0].ByteLength + _experts.Up[0].ByteLength + _experts.Down[0].ByteLength);
        Does(bytes, 2.0 * Tokens * TopK * 3 * Width * Inner, RandomWeights.Instruction(Kind));
    }
}
