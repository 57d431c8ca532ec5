using Hadal.Demo;
using Hadal.Formats.Checkpoints;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Kernels;
using Hadal.Kernels.MatMul;
using Hadal.Numerics;
using Hadal.Optimize.Calibration;

namespace Hadal.Optimize.Tests.Calibration;

public sealed class CalibrationRunTests
{
    private const string Text = "Once upon a time there was a little bear who lived in the forest. He liked honey very much. One day he found a big tree with bees. "
        + "\"May I have some honey?\" asked the bear. The bees said yes, and they were friends from that day on. What is 12 + 7? 12 + 7 = 19. ";

    [Fact]
    public void Run_OverTheDemo_ShowsEveryMatrixItsInputOnce()
    {
        using Checkpoint demo = DemoModel.Open();
        IReadOnlyList<int[]> rows = CalibrationText.Rows(Text + Text, "text", CheckpointText.LoadTokenizer(demo), 4096, 48);
        using var run = new CalibrationRun(demo.Config, demo.Tensors, rows, 2, mapped: false);
        var visited = new Dictionary<string, int>(StringComparer.Ordinal);
        var producers = new HashSet<string>(StringComparer.Ordinal);
        int routed = 0;
        run.Run(input =>
        {
            foreach (WeightSpec w in input.Weights)
            {
                visited.Add(w.Name, input.Rows.Rows);
                Assert.Equal(w.Columns, input.Rows.Columns);
            }

            if (input.Weights[0].Name.Contains("layers.3.mlp.experts", StringComparison.Ordinal) && input.Weights[0].Name.EndsWith("gate_proj.weight", StringComparison.Ordinal))
            {
                routed += input.Rows.Rows;
            }

            if (input.Producer is { } p)
            {
                producers.Add(p.Name);
            }
        }, CancellationToken.None);

        Assert.Equal(run.Matrices.Select(m => m.Name).Order(StringComparer.Ordinal), visited.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(run.NumTokens, visited["model.layers.2.self_attn.q_b_proj.weight"]);
        Assert.Equal(run.NumTokens * demo.Config.Moe!.NumExpertsPerTok, routed);
        Assert.Contains("model.layers.0.input_layernorm.weight", producers);
        Assert.Contains("model.layers.0.mlp.up_proj.weight", producers);
        Assert.Contains("model.layers.5.self_attn.kv_a_layernorm.weight", producers);
    }

    [Fact]
    public void Run_InputOfDown_IsWhatUpAndGateMake()
    {
        using Checkpoint demo = DemoModel.Open();
        IReadOnlyList<int[]> rows = CalibrationText.Rows(Text, "text", CheckpointText.LoadTokenizer(demo), 4096, 64);
        using var run = new CalibrationRun(demo.Config, demo.Tensors, rows, 1, mapped: false);
        float[]? expected = null;
        float worst = -1;
        run.Run(input =>
        {
            if (input.Weights.Any(w => w.Name == "model.layers.0.mlp.up_proj.weight"))
            {
                using var up = new StoredMatrix(demo.Tensors, demo.Config.Fp8BlockSize, input.Weights.Single(w => w.Name.EndsWith("up_proj.weight", StringComparison.Ordinal)));
                using var gate = new StoredMatrix(demo.Tensors, demo.Config.Fp8BlockSize, input.Weights.Single(w => w.Name.EndsWith("gate_proj.weight", StringComparison.Ordinal)));
                expected = [.. Row(gate, input).Zip(Row(up, input), (g, u) => g / (1 + MathF.Exp(-g)) * u)];
            }
            else if (input.Weights[0].Name == "model.layers.0.mlp.down_proj.weight")
            {
                worst = input.Rows.RowSpan(5).ToArray().Zip(expected!, (a, b) => MathF.Abs(a - b)).Max();
            }
        }, CancellationToken.None);
        Assert.InRange(worst, 0, 1e-4f);
    }

    [Fact]
    public void Accumulate_InPieces_IsTheSumOfOuterProducts()
    {
        var random = new Random(7);
        using var x = new OwnedMatrixF32(1500, 37);
        for (int t = 0; t < x.Rows; t++)
        {
            foreach (ref float v in x.Row(t))
            {
                v = random.NextSingle() - 0.5f;
            }
        }

        using var h = new OwnedMatrixF32(37, 37);
        using var pool = new Jit.WorkerPool(2, default);
        Gram.Accumulate(pool, x.Matrix, h);
        for (int i = 0; i < 37; i += 5)
        {
            for (int j = 0; j < 37; j++)
            {
                double sum = 0;
                for (int t = 0; t < x.Rows; t++)
                {
                    sum += (double)x.Row(t)[i] * x.Row(t)[j];
                }

                Assert.Equal(sum, h.Row(i)[j], 1e-3);
            }
        }
    }

    [Fact]
    public void Rows_OfTooLittleText_SayWhatIsNeeded()
    {
        using Checkpoint demo = DemoModel.Open();
        HadalException e = Assert.Throws<HadalException>(() => CalibrationText.Rows("A bear.", "bear.txt", CheckpointText.LoadTokenizer(demo), 4096, 64));
        Assert.Contains("bear.txt", e.Message, StringComparison.Ordinal);
        Assert.Contains("64", e.Message, StringComparison.Ordinal);
    }

    private static float[] Row(StoredMatrix matrix, MatrixInput input)
    {
        using var y = new OwnedMatrixF32(input.Rows.Rows, matrix.Rows);
        matrix.Multiply(input.Pool, input.Rows, y.Matrix);
        return y.Row(5).ToArray();
    }
}
