using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Models;
using Hadal.Numerics;
using Hadal.Optimize.Calibration;
using Hadal.Optimize.Recipes;
using Hadal.Optimize.Rewriting;
using Hadal.Optimize.Sensitivity;

namespace Hadal.Optimize.Quantization;

/// <summary>From a checkpoint to a quantised one: statistics of its inputs, a format for every unit, and the files.</summary>
public sealed class QuantizeJob
{
    public const string RecipeName = "quantization_recipe.json";
    public const string ReportName = "quantization_report";

    private static readonly double[] _betas = [0.25, 0.5, 0.75, 1];

    private readonly Checkpoint _source;
    private readonly QuantizeOptions _options;
    private readonly IProgress<QuantizeProgress>? _progress;
    private readonly IReadOnlyList<QuantUnit> _units;
    private readonly IReadOnlyList<WeightSpec> _routers;
    private readonly IReadOnlyList<int[]> _calibration;
    private readonly IReadOnlyList<int[]> _keptBack;
    private readonly List<string> _notes = [];
    private readonly Dictionary<string, InputStatistics> _statistics = new(StringComparer.Ordinal);
    private ScaleMigration _migration = new();

    private QuantizeJob(Checkpoint source, QuantizeOptions options, IProgress<QuantizeProgress>? progress)
    {
        _source = source;
        _options = options;
        _progress = progress;
        _units = QuantUnits.Of(source.Config, source.Tensors);
        ModelGraph graph = ModelCatalog.Find(source.Config).Build(source.Config);
        _routers = [.. graph.Weights.Where(w => !w.IsVector && w.KeepPrecision)];
        // Every fourth row is kept back, so that what is chosen on some text is measured on other.
        bool split = options.Calibration.Count >= 4;
        _calibration = split ? [.. options.Calibration.Where((_, i) => i % 4 != 3)] : options.Calibration;
        _keptBack = split ? [.. options.Calibration.Where((_, i) => i % 4 == 3)] : options.Calibration;
    }

    /// <exception cref="HadalException">The recipe does not fit, calibration text is missing, the budget cannot be met, or files cannot be read or written.</exception>
    public static QuantizeReport Run(Checkpoint source, QuantizeOptions options, IProgress<QuantizeProgress>? progress, CancellationToken cancellationToken)
        => new QuantizeJob(source, options, progress).Run(cancellationToken);

    private QuantizeReport Run(CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        CheckpointRewriter.CheckOutput(Path.GetFullPath(_options.Output));
        if (_source.Safetensors is null || _source.Tensors is PackedTensorSource)
        {
            throw new HadalException($"{_source.Path}: is {(_source.IsGguf ? "a GGUF file" : "quantised already, in packed words")}; give the folder of safetensors that the model was published as.");
        }

        QuantRecipe recipe = _options.Recipe;
        if (_options.Budget is null)
        {
            recipe.Check(_units, _options.RecipeOrigin);
        }

        if ((recipe.NeedsCalibration || _options.Budget is not null) && _calibration.Count == 0)
        {
            string what = _options.Budget is not null ? "--budget" : recipe.Method == QuantMethod.Gptq ? "gptq" : recipe.Smooth is not null ? "smooth" : "activation-aware scaling";
            throw new HadalException($"{what} needs text: give --calibration FILE (text, .jsonl or .npy of token ids), or --calibration self to let the model write it.");
        }

        CalibrationRun? run = _calibration.Count == 0 ? null : new CalibrationRun(_source.Config, _source.Tensors, _calibration, _options.Threads, mapped: true);
        try
        {
            if (run is not null)
            {
                CollectStatistics(run, cancellationToken);
            }

            IReadOnlyList<UnitSensitivity> tried = [];
            ReferenceLogits? reference = null;
            if (_options.Budget is { } budget)
            {
                reference = ReferenceLogits.Of(_source.Config, _source.Tensors, _keptBack, _options.Threads, cancellationToken);
                (recipe, tried) = Search(recipe, budget, reference, cancellationToken);
                recipe.Check(_units, "the search");
            }

            Migrate(recipe, cancellationToken);
            var rewrite = new QuantizeRewrite(_source.Config, _source.Tensors, _units, recipe, _migration, _statistics, _routers, _options.Threads);
            long bytes = Write(recipe, rewrite, run, cancellationToken);
            run?.Dispose();
            run = null;
            Divergence? divergence = null;
            if (_options.Compare && _keptBack.Count > 0)
            {
                reference ??= ReferenceLogits.Of(_source.Config, _source.Tensors, _keptBack, _options.Threads, cancellationToken);
                using Checkpoint result = Checkpoint.Open(_options.Output);
                divergence = reference.Compare(result.Config, result.Tensors, cancellationToken);
            }

            var report = new QuantizeReport
            {
                Source = Path.GetFileName(Path.TrimEndingDirectorySeparator(_source.Path)),
                Recipe = recipe,
                Calibration = _options.CalibrationOrigin,
                Units = [.. _units.Select(u => Report(u, recipe, rewrite))],
                SourceBytes = _source.ByteLength,
                OutputBytes = bytes,
                Seconds = clock.Elapsed.TotalSeconds,
                Divergence = divergence,
                BaseNll = reference?.Nll,
                Tried = tried,
                Notes = _notes,
            };
            File.WriteAllText(Path.Combine(_options.Output, ReportName + ".md"), report.ToMarkdown());
            File.WriteAllBytes(Path.Combine(_options.Output, ReportName + ".json"), report.ToJson());
            return report;
        }
        finally
        {
            run?.Dispose();
        }
    }

    private void CollectStatistics(CalibrationRun run, CancellationToken cancellationToken)
    {
        int total = run.Matrices.Count();
        run.Run(input =>
        {
            InputStatistics statistics = InputStatistics.Of(input.Rows);
            foreach (WeightSpec w in input.Weights)
            {
                _statistics[w.Name] = statistics;
            }

            Collect(input, statistics);
            _progress?.Report(new QuantizeProgress("calibrating", _statistics.Count, total, 0, "matrices"));
        }, cancellationToken);
        int blind = _statistics.Count(s => s.Value.NumTokens == 0);
        if (blind > 0)
        {
            _notes.Add($"{blind} matrices saw none of the calibration text (experts that no token was routed to): they are rounded without it. More text, or other, would reach them.");
        }
    }

    private readonly Dictionary<string, (WeightSpec Producer, InputStatistics Statistics, List<WeightSpec> Readers)> _values = new(StringComparer.Ordinal);

    private void Collect(MatrixInput input, InputStatistics statistics)
    {
        if (input.Producer is not { } producer)
        {
            return;
        }

        if (!_values.TryGetValue(producer.Name, out (WeightSpec Producer, InputStatistics Statistics, List<WeightSpec> Readers) value))
        {
            value = (producer, statistics, []);
        }

        value.Readers.AddRange(input.Weights);
        // Of several the one that saw most: experts see a part of what the shared ones do.
        _values[producer.Name] = value with { Statistics = statistics.NumTokens > value.Statistics.NumTokens ? statistics : value.Statistics };
    }

    private void Migrate(QuantRecipe recipe, CancellationToken cancellationToken)
    {
        if (recipe.Smooth is null && !recipe.ActivationAware)
        {
            return;
        }

        var formats = _units.SelectMany(u => u.Weights.Select(w => (w.Name, Format: recipe.FormatOf(u)))).ToDictionary(p => p.Name, p => p.Format, StringComparer.Ordinal);
        long done = 0;
        foreach ((WeightSpec producer, InputStatistics statistics, List<WeightSpec> readers) in _values.Values)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _progress?.Report(new QuantizeProgress("moving scales", done++, _values.Count, 0, "values"));
            bool smooth = recipe.Smooth is not null && readers.Any(r => formats.GetValueOrDefault(r.Name) is WeightFormat.Int8);
            WeightSpec[] weightOnly = [.. readers.Where(r => formats.GetValueOrDefault(r.Name) is WeightFormat.Int4 or WeightFormat.Int8Weight)];
            if (smooth)
            {
                _migration.Add(producer, readers, ScaleMigration.Smooth(statistics, ColumnAbsMax(readers), recipe.Smooth!.Value));
            }
            else if (recipe.ActivationAware && weightOnly.Length > 0)
            {
                float[]? best = null;
                double least = RoundingError(weightOnly, statistics, [], recipe, formats);
                foreach (double beta in _betas)
                {
                    float[] factors = ScaleMigration.ActivationAware(statistics, beta);
                    double error = RoundingError(weightOnly, statistics, factors, recipe, formats);
                    if (error < least)
                    {
                        (least, best) = (error, factors);
                    }
                }

                if (best is not null)
                {
                    _migration.Add(producer, readers, best);
                }
            }
        }
    }

    private double RoundingError(IEnumerable<WeightSpec> matrices, InputStatistics statistics, float[] factors, QuantRecipe recipe, Dictionary<string, WeightFormat> formats)
    {
        float[] importance = (factors.Length > 0 ? statistics.DividedBy(factors) : statistics).MeanSquare;
        double sum = 0;
        foreach (WeightSpec w in matrices)
        {
            using var rows = new MatrixRows(_source.Tensors, _source.Config.Fp8BlockSize, w, factors, []);
            sum += MatrixQuantizer.Quantize(rows, new MatrixSettings(formats[w.Name], recipe.GroupSize), importance, null, _options.Threads, (_, _) => { }).Error;
        }

        return sum;
    }

    private float[] ColumnAbsMax(IEnumerable<WeightSpec> readers)
    {
        float[]? most = null;
        foreach (WeightSpec reader in readers)
        {
            using var rows = new MatrixRows(_source.Tensors, _source.Config.Fp8BlockSize, reader, [], []);
            most ??= new float[rows.Columns];
            float[] row = new float[rows.Columns];
            for (int r = 0; r < rows.Rows; r++)
            {
                rows.Read(r, row);
                for (int k = 0; k < row.Length; k++)
                {
                    most[k] = MathF.Max(most[k], MathF.Abs(row[k]));
                }
            }
        }

        return most ?? [];
    }

    private (QuantRecipe Recipe, IReadOnlyList<UnitSensitivity> Tried) Search(QuantRecipe recipe, QuantBudget budget, ReferenceLogits reference, CancellationToken cancellationToken)
    {
        var rewrite = new QuantizeRewrite(_source.Config, _source.Tensors, _units, recipe with { Rules = [] }, ScaleMigration.None, _statistics, [], _options.Threads);
        IReadOnlyList<QuantUnit>[] groups = [.. _units.Where(u => u.InTrunk && u.Layer >= 0).GroupBy(u => (u.Layer / _options.LayerGroup, u.Role)).Select(g => (IReadOnlyList<QuantUnit>)[.. g])];
        var choices = new List<IReadOnlyList<UnitSensitivity>>();
        long done = 0;
        foreach (IReadOnlyList<QuantUnit> group in groups)
        {
            List<UnitSensitivity> tried = [Measured(group, WeightFormat.Bf16, default, recipe)];
            foreach (WeightFormat format in _options.Formats)
            {
                _progress?.Report(new QuantizeProgress("measuring sensitivity", done++, (long)groups.Length * _options.Formats.Count, 0, "trials"));
                tried.Add(Measured(group, format, Try(rewrite, [.. group.Select(u => (u, format))], recipe, reference, cancellationToken), recipe));
            }

            choices.Add(tried);
        }

        // What is in no group: embeddings, norms, routers, head.
        long rest = _source.Safetensors!.Files.Sum(f => f.Tensors.Sum(t => t.ByteLength)) - _units.Where(u => u.InTrunk && u.Layer >= 0).Sum(u => UnitBytesStored(u));
        bool latency = budget.Kind == QuantBudgetKind.LatencyMs;
        IReadOnlyList<MixStep> path = MixSearch.Path(choices, s => latency ? s.ActiveBytes : s.Bytes);
        MixStep chosen = budget.Kind switch
        {
            QuantBudgetKind.NllRise => ByNll(path, budget.Limit, rewrite, recipe, reference, cancellationToken),
            QuantBudgetKind.LatencyMs => ByLatency(path, budget.Limit, rest),
            QuantBudgetKind.Share => ByBytes(path, budget.Limit * (rest + path[0].Bytes), rest, budget),
            _ => ByBytes(path, budget.Limit, rest, budget),
        };
        return (recipe with { Rules = Rules(chosen, choices) }, [.. choices.SelectMany(c => c)]);
    }

    private static MixStep ByBytes(IReadOnlyList<MixStep> path, double limit, long rest, QuantBudget budget)
        => path.FirstOrDefault(s => s.Bytes + rest <= limit)
            ?? throw new HadalException($"--budget: {(budget.Kind == QuantBudgetKind.Share ? $"{budget.Limit:P0} of the base" : $"{limit:0} bytes")} cannot be met: with the formats allowed the model takes {path[^1].Bytes + rest} bytes at the least, {rest} of them embeddings, head, norms and routers. Allow smaller formats with --formats.");

    private MixStep ByLatency(IReadOnlyList<MixStep> path, double limitMs, long rest)
    {
        using var pool = new WorkerPool(_options.Threads, default);
        double bytesPerMs = ReadBandwidth.MeasureGBps(pool) * 1e6;
        // Decoding reads one row of the embedding, and all else that is no unit.
        double always = rest - (2.0 * _source.Config.VocabSize * _source.Config.HiddenSize * (_source.Config.TieWordEmbeddings ? 0 : 1));
        double Ms(MixStep s) => (s.ActiveBytes + always) / bytesPerMs;
        _notes.Add($"Latency is told from the bytes that decoding one token reads at {bytesPerMs / 1e6:0.0} GB/s, measured here: {Ms(path[0]):0.000} ms in bf16. Measure the result with hadal bench.");
        return path.FirstOrDefault(s => Ms(s) <= limitMs)
            ?? throw new HadalException($"--budget latency:{limitMs}ms cannot be met on this machine: with the formats allowed a token takes {Ms(path[^1]):0.000} ms at the least.");
    }

    private MixStep ByNll(IReadOnlyList<MixStep> path, double limit, QuantizeRewrite rewrite, QuantRecipe recipe, ReferenceLogits reference, CancellationToken cancellationToken)
    {
        // The whole mix is measured, since divergences only nearly add up: the last point of the path at which it holds, found by halving.
        int low = 0;
        int high = path.Count - 1;
        double rise = 0;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            _progress?.Report(new QuantizeProgress("searching", middle, path.Count, 0, "mixes"));
            double measured = Try(rewrite, [.. path[middle].Choices.SelectMany(c => c.Units.Select(u => (u, c.Format)))], recipe, reference, cancellationToken).NllRise;
            if (measured <= limit)
            {
                (low, rise) = (middle, measured);
            }
            else
            {
                high = middle - 1;
            }
        }

        _notes.Add($"The mix is step {low} of {path.Count - 1} from all bf16 to all as small as allowed; its nll was {rise:+0.00000;-0.00000} against a budget of +{limit} on {reference.NumTokens} tokens kept back, rounded to nearest.");
        return path[low];
    }

    private List<QuantRule> Rules(MixStep chosen, List<IReadOnlyList<UnitSensitivity>> choices)
    {
        var rules = new List<QuantRule>();
        for (int g = 0; g < choices.Count; g++)
        {
            UnitSensitivity choice = chosen.Choices[g];
            string others = string.Join(", ", choices[g].Where(c => c.Format != WeightFormat.Bf16).Select(c => $"{WeightFormats.NameOf(c.Format)} KL {c.Divergence.Kl:0.0000000}"));
            string why = choice.Format == WeightFormat.Bf16 ? $"sensitive: {others}" : others;
            rules.AddRange(choice.Units.Select(u => new QuantRule(u.Name, choice.Format, why)));
        }

        int lastLayer = _units.Where(u => u.InTrunk).Max(u => u.Layer);
        foreach (QuantUnit unit in _units.Where(u => !u.InTrunk))
        {
            if (rules.FirstOrDefault(r => r.Match == $"model.layers.{lastLayer}.{unit.Role}") is { } last)
            {
                rules.Add(new QuantRule(unit.Name, last.Format, $"prediction layer, which text does not go through: as layer {lastLayer}"));
            }
        }

        return rules;
    }

    private long UnitBytesStored(QuantUnit unit)
    {
        long sum = 0;
        foreach (WeightSpec w in unit.Weights)
        {
            using var matrix = new StoredMatrix(_source.Tensors, _source.Config.Fp8BlockSize, w);
            sum += matrix.ByteLength;
        }

        return sum;
    }

    private static UnitSensitivity Measured(IReadOnlyList<QuantUnit> group, WeightFormat format, Divergence divergence, QuantRecipe recipe)
    {
        var settings = new MatrixSettings(format, recipe.GroupSize);
        double active = 0;
        long total = 0;
        foreach (QuantUnit unit in group)
        {
            long bytes = unit.Weights.Sum(w => settings.Plan(w.Name, w.Rows, w.Columns, deepSeekNames: false).Sum(p => p.ByteLength));
            total += bytes;
            active += bytes * unit.ActiveShare;
        }

        return new UnitSensitivity(group, format, divergence, total, active);
    }

    private Divergence Try(QuantizeRewrite rewrite, IReadOnlyList<(QuantUnit Unit, WeightFormat Format)> formats, QuantRecipe recipe, ReferenceLogits reference, CancellationToken cancellationToken)
    {
        using var overlay = new OverlayTensors(_source.Tensors);
        foreach ((QuantUnit unit, WeightFormat format) in formats.Where(f => f.Format != WeightFormat.Bf16))
        {
            var settings = new MatrixSettings(format, recipe.GroupSize);
            foreach (WeightSpec w in unit.Weights)
            {
                overlay.Replace(w.Name, settings.Plan(w.Name, w.Rows, w.Columns, deepSeekNames: false), append => rewrite.Quantize(w, settings, null, append));
            }
        }

        ModelConfig config = _source.Config with { Fp8BlockSize = (MatrixSettings.BlockSide, MatrixSettings.BlockSide) };
        return reference.Compare(config, overlay, cancellationToken);
    }

    private long Write(QuantRecipe recipe, QuantizeRewrite rewrite, CalibrationRun? run, CancellationToken cancellationToken)
    {
        byte[] recipeJson = RecipeFile.Write(recipe);
        string settings = Encoding.UTF8.GetString(recipeJson) + Convert.ToHexString(SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(_calibration.SelectMany(r => r.Append(-1)).ToArray().AsSpan())));
        var progress = new RewriteRelay(_progress);
        using CheckpointRewriter rewriter = CheckpointRewriter.Open(_source, _options.Output, rewrite, settings, _options.Restart, progress);
        try
        {
            if (recipe.Method == QuantMethod.Gptq)
            {
                WithFeedback(rewriter, rewrite, recipe, run!, cancellationToken);
            }

            rewriter.ProcessAll(cancellationToken);
            byte[] config = _source.Files!.Read(ModelConfigReader.ConfigName, 16 << 20);
            IReadOnlyList<WeightSpec> mtp = ModelCatalog.Find(_source.Config).MtpWeights(_source.Config);
            var known = _units.SelectMany(u => u.Weights.Select(w => w.Name)).ToHashSet(StringComparer.Ordinal);
            IEnumerable<WeightSpec> other = mtp.Where(w => !w.IsVector && !known.Contains(w.Name) && !w.Name.Contains("embed_tokens", StringComparison.Ordinal) && _source.Tensors.TryGet(w.Name, out _));
            rewriter.Finish(
                QuantizationConfigWriter.Write(config, _units, recipe, _routers.Concat(other).DistinctBy(w => w.Name)),
                new Dictionary<string, byte[]>(StringComparer.Ordinal) { [RecipeName] = recipeJson });
            return rewriter.OutputBytes;
        }
        catch (HadalException)
        {
            // It would fail again: nothing to go on from.
            rewriter.Discard();
            throw;
        }
    }

    private void WithFeedback(CheckpointRewriter rewriter, QuantizeRewrite rewrite, QuantRecipe recipe, CalibrationRun run, CancellationToken cancellationToken)
    {
        var quantised = _units.Where(u => recipe.FormatOf(u) != WeightFormat.Bf16).SelectMany(u => u.Weights.Select(w => w.Name)).ToHashSet(StringComparer.Ordinal);
        int few = 0;
        int cut = 0;
        run.Run(input =>
        {
            string[] pending = [.. input.Weights.Select(w => w.Name).Where(n => quantised.Contains(n) && rewriter.IsPending(n))];
            if (pending.Length == 0)
            {
                return;
            }

            using ErrorFeedback? feedback = ErrorFeedback.Of(input, _migration.ColumnFactors(pending[0]), (float)recipe.Damping, _options.Threads);
            few += feedback is null ? pending.Length : 0;
            cut += feedback?.NumSegments > 1 ? pending.Length : 0;
            rewrite.Feedback = feedback;
            foreach (string name in pending)
            {
                cancellationToken.ThrowIfCancellationRequested();
                rewriter.Process(name);
            }

            rewrite.Feedback = null;
        }, cancellationToken);
        int untouched = _units.Where(u => !u.InTrunk || u.Layer < 0).Where(u => recipe.FormatOf(u) != WeightFormat.Bf16).Sum(u => u.Weights.Count);
        if (few + untouched > 0)
        {
            _notes.Add($"{few + untouched} matrices are rounded to nearest instead of by GPTQ: {few} saw fewer than two tokens of the calibration text, and through {untouched} of prediction layers and the head no text was run.");
        }

        if (cut > 0)
        {
            _notes.Add($"{cut} matrices with more than {ErrorFeedback.SegmentColumns} columns: GPTQ's errors are passed on within segments of at most that many.");
        }
    }

    private static UnitReport Report(QuantUnit unit, QuantRecipe recipe, QuantizeRewrite rewrite)
    {
        var settings = new MatrixSettings(recipe.FormatOf(unit), recipe.GroupSize);
        MatrixError? error = null;
        foreach (WeightSpec w in unit.Weights)
        {
            if (rewrite.Errors.TryGetValue(w.Name, out MatrixError e))
            {
                error = error is { } sum ? sum.Plus(e) : e;
            }
        }

        string why = recipe.RuleFor(unit)?.Why ?? (unit.Layer < 0 ? "head: kept unless a rule names it" : "no rule names it");
        return new UnitReport(unit.Name, unit.Weights.Count, settings.Format, unit.Weights.Sum(w => settings.Plan(w.Name, w.Rows, w.Columns, false).Sum(p => p.ByteLength)), error?.Relative, why);
    }

    private sealed class RewriteRelay(IProgress<QuantizeProgress>? progress) : IProgress<RewriteProgress>
    {
        public void Report(RewriteProgress value)
            => progress?.Report(new QuantizeProgress("quantising", value.BytesDone, value.BytesTotal, value.BytesDone - value.BytesThisRun, "bytes"));
    }
}
