using Hadal.Cuda;

namespace Hadal.Kernels.MatMul;

/// <summary>Where the kernels of <see cref="MatMulLargeCuda"/> for weights of one kind are, and which tile widths they have, the fastest first.</summary>
internal sealed class LargeFormat
{
    private static readonly string[] _outputs = ["bf16", "f32", "silu"];

    private static readonly string[] _works = ["", "experts_", "split_"];

    // By width / 32, work and output.
    private readonly string[] _names;

    public LargeFormat(string module, string prefix, TensorMapType type, int elementBytes, int[] widths, int[] gateUpWidths, int[] splitWidths, int[] expertWidths)
    {
        Module = module;
        Type = type;
        ElementBytes = elementBytes;
        Widths = widths;
        GateUpWidths = gateUpWidths;
        SplitWidths = splitWidths;
        ExpertWidths = expertWidths;
        _names = new string[(256 / 32 * 9) + 9];
        for (int i = 0; i < _names.Length; i++)
        {
            _names[i] = $"{prefix}_{_works[i % 9 / 3]}{i / 9 * 32}_{_outputs[i % 3]}";
        }
    }

    public string Module { get; }

    public TensorMapType Type { get; }

    public int ElementBytes { get; }

    public int[] Widths { get; }

    public int[] GateUpWidths { get; }

    public int[] SplitWidths { get; }

    public int[] ExpertWidths { get; }

    /// <param name="width">Of the tile; 0: 64, for columns of y that are no multiple of 8 (FP8).</param>
    /// <param name="output">0: bf16, 1: f32, 2: gate-up.</param>
    /// <param name="work">0: dense, 1: by expert, 2: split over K.</param>
    public string Kernel(int width, int output, int work) => _names[(width / 32 * 9) + (work * 3) + output];
}
