using Hadal.Jit;

namespace Hadal.Models.Tests.Oracle;

/// <summary>Random checkpoints of other sizes and settings than the goldens', each way of computing them against the oracle.</summary>
public sealed class OracleVariantTests
{
    // float32 against double; the worst seen is 1.2e-5, and a test's output says what it saw.
    private const double Bar = 2e-4;

    // Mean |difference| over the logits' root mean square, where activations are rounded to bf16: the worst seen are 0.006, and 0.038 in mixtures,
    // where a rounded router now and then chooses another expert.
    private const double PackedBar = 0.012;
    private const double PackedMixtureBar = 0.06;

    private const int Whole = VariantModel.MaxContextLen;

    public static TheoryData<string> Cases() => [.. Variants.All.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_EveryWayOfComputing_MatchTheOracle(string name)
    {
        string folder = Directory.CreateTempSubdirectory("hadal-oracle-").FullName;
        try
        {
            (int[][] sequences, double[][] expected) = WriteAndCompute(Variants.All[name], folder);
            double worst = 0;
            void Check(string way, float[][] actual)
            {
                for (int s = 0; s < sequences.Length; s++)
                {
                    Assert.Equal(expected[s].Length, actual[s].Length);
                    double difference = expected[s].Zip(actual[s], (e, a) => float.IsNaN(a) ? double.PositiveInfinity : Math.Abs(e - a)).Max();
                    Assert.True(difference <= Bar, $"{name}, {way}, sequence of {sequences[s].Length}: {difference:e2} from the oracle");
                    worst = Math.Max(worst, difference);
                }
            }

            using (var fused = new VariantModel(folder, "default", threads: 1))
            {
                float[][] together = fused.Run(sequences, [Whole]);
                Check("default", together);
                float[][] pieces = fused.Run(sequences, [1, 5, 2, 13, 3]);
                float[][] alone = [.. sequences.Select(s => fused.Run([s], [Whole])[0])];
                float[][] single = fused.Run(sequences, [1]);
                Check("default in pieces", pieces);
                Check("default, each alone", alone);
                Check("default, token by token", single);
                Assert.Equal(together, alone);

                using var threads = new VariantModel(folder, "default", threads: 5);
                float[][] shared = threads.Run(sequences, [Whole]);
                Check("default, 5 threads", shared);
                Assert.Equal(together, shared);
            }

            using (var plain = new VariantModel(folder, "none", threads: 2))
            {
                Check("none", plain.Run(sequences, [Whole]));
                Check("none in pieces", plain.Run(sequences, [7, 1, 11]));
            }

            if (CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true })
            {
                using var packed = new VariantModel(folder, "default", threads: 2, pack: true);
                double share = Share(expected, packed.Run(sequences, [Whole]));
                Assert.InRange(share, 0, Variants.All[name].Config.ContainsKey("n_routed_experts") ? PackedMixtureBar : PackedBar);
            }

            TestContext.Current.TestOutputHelper?.WriteLine($"worst {worst:e2} of logits up to {expected.Max(e => e.Max()):f1}: {name}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Share(double[][] expected, float[][] actual)
    {
        double[] e = [.. expected.SelectMany(x => x)];
        double mean = e.Zip(actual.SelectMany(x => x), (x, y) => float.IsNaN(y) ? double.PositiveInfinity : Math.Abs(x - y)).Average();
        return mean / Math.Sqrt(e.Average(x => x * x));
    }

    // The first seed whose routers decide everything by more than float32 rounds away, and some of it by their correction bias.
    private static (int[][] Sequences, double[][] Logits) WriteAndCompute(Variant variant, string folder)
    {
        for (int seed = 1; seed <= 20; seed++)
        {
            RandomCheckpoint.Write(variant, seed, folder);
            var oracle = new OracleModel(folder);
            var random = new Random(seed);
            int vocab = (int)variant.Config["vocab_size"]!;
            int[][] sequences = [.. variant.Lengths.Select(n => Enumerable.Range(0, n).Select(_ => random.Next(vocab)).ToArray())];
            double[][] logits = [.. sequences.Select(s => oracle.Logits(s).SelectMany(row => row).ToArray())];
            OracleRouter[] routers = [.. oracle.Routers];
            bool biasDecides = routers.Length == 0 || !routers[0].HasBias || variant.BiasSpread == 0 || routers.Sum(r => r.ChangedByBias) > 0;
            if (biasDecides && routers.All(r => r.Margin > 1e-5))
            {
                return (sequences, logits);
            }
        }

        throw new InvalidOperationException($"{variant.Name}: 20 seeds, and each has a token that chooses its experts by less than 1e-5");
    }
}
