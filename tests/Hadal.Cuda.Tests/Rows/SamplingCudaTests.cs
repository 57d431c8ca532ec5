using Hadal.Engine;
using Hadal.Engine.Sampling;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Sampling;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Cuda.Tests.Rows;

/// <summary>Sampling on the card against the engine's sampler.</summary>
public sealed class SamplingCudaTests(Gpu gpu)
{
    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Greedy_FirstOfTheLargest(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(40);
        foreach (int vocab in (int[])[1, 3, 32, 4097, 129280, 152064])
        {
            const int rows = 9;
            float[] values = new float[rows * vocab];
            TestMatrix.Fill(random, values);
            values = Array.ConvertAll(values, v => MathF.Round(v * 4)); // ties
            values.AsSpan(vocab, vocab).Fill(0.5f);
            values[2 * vocab] = -0f;
            using var logits = DeviceRows.Of(gpu, s, DType.F32, rows, vocab, values);
            (int[] tokens, int[] status) = Run(kernels, s, logits.Matrix, null);
            Assert.All(status, x => Assert.Equal(0, x));
            for (int r = 0; r < rows; r++)
            {
                ReadOnlySpan<float> row = values.AsSpan(r * vocab, vocab);
                float max = row[0];
                int first = 0;
                for (int i = 1; i < row.Length; i++)
                {
                    if (row[i] > max)
                    {
                        (max, first) = (row[i], i);
                    }
                }

                Assert.Equal(first, tokens[r]);
            }
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Draws_AsTheEngine(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(41);
        float[] temperatures = [0, 1, 0.7f, 1.5f, 0.1f];
        float[] topPs = [1, 1, 0.9f, 0.5f, 0.999f, 0.01f];
        float[] minPs = [0, 0, 0, 0.05f, 0.5f];
        int[] topKs = [0, 0, 1, 5, 50, 5000];
        int differ = 0, all = 0;
        foreach (int vocab in (int[])[32, 1003, 20000, 152064])
        {
            int rows = vocab > 100000 ? 24 : 64;
            float[] values = new float[rows * vocab];
            for (int r = 0; r < rows; r++)
            {
                TestMatrix.Fill(random, values.AsSpan(r * vocab, vocab), r % 4 == 0 ? 4 : r % 4 == 1 ? 1 : 2.5);
                if (r % 4 == 3)
                {
                    // Ties at the edges of what is kept.
                    foreach (ref float v in values.AsSpan(r * vocab, vocab))
                    {
                        v = MathF.Round(v);
                    }
                }
            }

            var parameters = new SamplingRow[rows];
            int[] expected = new int[rows];
            var sampler = new Sampler(vocab);
            for (int r = 0; r < rows; r++)
            {
                var p = new SamplingParams
                {
                    Temperature = temperatures[random.Next(temperatures.Length)],
                    TopP = topPs[random.Next(topPs.Length)],
                    MinP = minPs[random.Next(minPs.Length)],
                    TopK = topKs[random.Next(topKs.Length)],
                };
                ulong seed = (ulong)random.NextInt64();
                var state = new SamplingState(p, seed, 0, [], []);
                expected[r] = sampler.Sample(values.AsSpan(r * vocab, vocab), state);
                parameters[r] = new SamplingRow(p.Temperature, p.TopP, p.MinP, p.TopK, Philox.NextDouble(seed, 0, 0));
            }

            using var logits = DeviceRows.Of(gpu, s, DType.F32, rows, vocab, values);
            (int[] tokens, int[] status) = Run(kernels, s, logits.Matrix, parameters);
            Assert.All(status, x => Assert.Equal(0, x));
            for (int r = 0; r < rows; r++)
            {
                all++;
                differ += tokens[r] == expected[r] ? 0 : 1;
                if (parameters[r].Temperature == 0)
                {
                    Assert.Equal(expected[r], tokens[r]);
                }
            }

            // Twice: the workspace was left as it was found.
            Assert.Equal(tokens, Run(kernels, s, logits.Matrix, parameters).Tokens);
        }

        // Weights of the two sides differ by roundings: a number may fall on the other side of a boundary, hardly ever.
        Assert.True(differ <= 2, $"{differ} of {all} rows drew another token");
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Draws_OfEvenNumbers_GiveEachTokenItsShare(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        const int rows = 2048, vocab = 40;
        float[] row = new float[vocab];
        TestMatrix.Fill(new Random(42), row, 2);
        float[] values = [.. Enumerable.Repeat(row, rows).SelectMany(r => r)];
        using var logits = DeviceRows.Of(gpu, s, DType.F32, rows, vocab, values);
        (int[] tokens, _) = Run(kernels, s, logits.Matrix, [.. Enumerable.Range(0, rows).Select(i => new SamplingRow(0.8f, 1, 0, 0, (i + 0.5) / rows))]);
        double[] weights = [.. row.Select(v => Math.Exp((v - row.Max()) / 0.8))];
        for (int i = 0; i < vocab; i++)
        {
            Assert.Equal(weights[i] / weights.Sum() * rows, tokens.Count(t => t == i), 1.01);
        }

        Assert.Equal(tokens.Order(), tokens); // the walk goes by id
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void BrokenRows_HaveAStatus(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        const int vocab = 5000;
        float[] values = new float[5 * vocab];
        values[7] = float.NaN;
        values[(2 * vocab) - 1] = float.PositiveInfinity;
        values.AsSpan(2 * vocab, vocab).Fill(float.NegativeInfinity);
        values.AsSpan(3 * vocab, vocab).Fill(float.NegativeInfinity);
        values[3 * vocab] = 1;
        using var logits = DeviceRows.Of(gpu, s, DType.F32, 5, vocab, values);
        int[] expected = [(int)SamplingStatus.NotANumber, (int)SamplingStatus.Infinite, (int)SamplingStatus.AllBanned, 0, 0];
        foreach (SamplingRow[]? parameters in (SamplingRow[]?[])[null, [.. Enumerable.Repeat(new SamplingRow(1, 0.9f, 0, 0, 0.5), 5)]])
        {
            (int[] tokens, int[] status) = Run(kernels, s, logits.Matrix, parameters);
            Assert.Equal(expected, status);
            Assert.Equal([-1, -1, -1, 0], tokens[..4]);
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Edits_AsTheEngineApplies(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        const int vocab = 100;
        var p = new SamplingParams { RepetitionPenalty = 1.3f, FrequencyPenalty = 0.5f, PresencePenalty = 0.25f, MinTokens = 5, LogitBias = new Dictionary<int, float> { [3] = 2, [7] = -1 } };
        var state = new SamplingState(p, 1, 0, [9], [3, 4]);
        state.Add(4);
        state.Add(4);
        state.Add(5);
        float[] values = new float[2 * vocab];
        TestMatrix.Fill(new Random(43), values);
        using var logits = DeviceRows.Of(gpu, s, DType.F32, 2, vocab, values);
        float[] expected = [.. values];
        state.Apply(expected.AsSpan(vocab));
        LogitEdit[] edits =
        [
            new(1, 3, 2, 1.3f, 0, 0), new(1, 7, -1, 1, 0, 0), new(1, 4, 0, 1.3f, (2 * 0.5f) + 0.25f, 0), new(1, 5, 0, 1.3f, 0.5f + 0.25f, 0), new(1, 9, 0, 1, 0, 1), new(0, 0, 99, 1, 0, 0),
        ];
        using DeviceBuffer on = gpu.Upload<LogitEdit>(s, edits);
        using DeviceBuffer count = gpu.Upload<int>(s, [5]);
        SamplingCuda.Edit(kernels, s, logits.Matrix, on.Pointer, count.Pointer, edits.Length);
        TensorAssert.Close(logits.Download(), expected, 0, 3e-7f, "edits");
    }

    private (int[] Tokens, int[] Status) Run(CudaKernels kernels, CudaStream s, DeviceMatrix logits, SamplingRow[]? parameters)
    {
        using DeviceBuffer workspace = gpu.Context.Allocate(SamplingCuda.WorkspaceBytes(logits.Rows));
        s.Fill(workspace.Pointer, 0, workspace.ByteLength);
        using DeviceBuffer tokens = gpu.Poisoned<int>(s, logits.Rows);
        using DeviceBuffer status = gpu.Poisoned<int>(s, logits.Rows);
        if (parameters is null)
        {
            SamplingCuda.RunGreedy(kernels, s, logits, workspace.Pointer, tokens.Pointer, status.Pointer);
        }
        else
        {
            using DeviceBuffer rows = gpu.Upload<SamplingRow>(s, parameters);
            SamplingCuda.Run(kernels, s, logits, rows.Pointer, workspace.Pointer, tokens.Pointer, status.Pointer);
            s.Synchronize();
        }

        return (gpu.Download<int>(s, tokens, logits.Rows), gpu.Download<int>(s, status, logits.Rows));
    }
}
