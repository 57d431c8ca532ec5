using System.Runtime.InteropServices;
using Hadal.Formats.Config;
using Hadal.Formats.Safetensors;
using Hadal.Graph.Ir;
using Hadal.Numerics;
using Hadal.Optimize.Calibration;
using Hadal.Optimize.Recipes;
using Hadal.Optimize.Rewriting;

namespace Hadal.Optimize.Quantization;

/// <summary>What the tensors of a checkpoint become by a recipe.</summary>
public sealed class QuantizeRewrite : ITensorRewrite
{
    private readonly ITensorSource _source;
    private readonly (int Rows, int Columns)? _fp8Block;
    private readonly QuantRecipe _recipe;
    private readonly ScaleMigration _migration;
    private readonly IReadOnlyDictionary<string, InputStatistics> _statistics;
    private readonly Dictionary<string, (WeightSpec Spec, QuantUnit? Unit)> _matrices = new(StringComparer.Ordinal);
    private readonly Dictionary<string, WeightSpec> _vectors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, MatrixError> _errors = new(StringComparer.Ordinal);
    private readonly bool _deepSeekNames;
    private readonly int _threads;

    /// <param name="config">The model.</param>
    /// <param name="source">Its weights as they are.</param>
    /// <param name="units">Its units.</param>
    /// <param name="recipe">What becomes what.</param>
    /// <param name="migration">Factors moved between matrices.</param>
    /// <param name="statistics">Of the inputs of matrices, by name, before the factors are moved; empty where there was no calibration.</param>
    /// <param name="otherReaders">Matrices in no unit whose columns factors may be moved into: routers.</param>
    /// <param name="threads">Workers.</param>
    public QuantizeRewrite(
        ModelConfig config, ITensorSource source, IReadOnlyList<QuantUnit> units, QuantRecipe recipe, ScaleMigration migration,
        IReadOnlyDictionary<string, InputStatistics> statistics, IEnumerable<WeightSpec> otherReaders, int threads)
    {
        _source = source;
        _fp8Block = config.Fp8BlockSize;
        _recipe = recipe;
        _migration = migration;
        _statistics = statistics;
        _threads = threads;
        foreach (QuantUnit unit in units)
        {
            foreach (WeightSpec w in unit.Weights)
            {
                _matrices.Add(w.Name, (w, unit));
            }
        }

        foreach (WeightSpec w in otherReaders.Where(w => !_matrices.ContainsKey(w.Name)))
        {
            _matrices.Add(w.Name, (w, null));
        }

        _deepSeekNames = QuantizationConfigWriter.IsDeepSeek(units.Select(recipe.FormatOf));
    }

    /// <summary>Second moments for the matrices that are rewritten next; null for rounding to nearest.</summary>
    public ErrorFeedback? Feedback { get; set; }

    /// <summary>What each matrix that was rewritten by this cost.</summary>
    public IReadOnlyDictionary<string, MatrixError> Errors => _errors;

    public IReadOnlyList<TensorPlan> Plan(StoredTensor tensor)
    {
        if (_matrices.TryGetValue(tensor.Name, out (WeightSpec Spec, QuantUnit? Unit) matrix))
        {
            return IsUnchanged(tensor, matrix.Unit) ? [Same(tensor)]
                : IsKeptFloat(tensor, matrix.Unit) ? [Same(tensor)]
                : Settings(matrix.Unit).Plan(tensor.Name, matrix.Spec.Rows, matrix.Spec.Columns, _deepSeekNames);
        }

        return IsScaleOfMatrix(tensor.Name) ? [] : [Same(tensor)];
    }

    public void Rewrite(StoredTensor tensor, TensorSink sink)
    {
        if (_matrices.TryGetValue(tensor.Name, out (WeightSpec Spec, QuantUnit? Unit) matrix) && !IsUnchanged(tensor, matrix.Unit))
        {
            if (IsKeptFloat(tensor, matrix.Unit))
            {
                RewriteFloats(tensor, matrix.Spec, sink);
                return;
            }

            IReadOnlyList<TensorPlan> plan = Plan(tensor);
            _errors[tensor.Name] = Quantize(matrix.Spec, Settings(matrix.Unit), Feedback, (i, bytes) => sink.Append(plan[i].Name, bytes));
        }
        else if (_migration.Divisors(tensor.Name) is { Length: > 0 } && !_matrices.ContainsKey(tensor.Name))
        {
            RewriteFloats(tensor, WeightSpec.Vector(tensor.Name, checked((int)tensor.NumElements)), sink);
        }
        else if (!IsScaleOfMatrix(tensor.Name))
        {
            sink.Copy(tensor);
        }
    }

    /// <summary>One matrix by itself: for files, and to try what a format costs.</summary>
    public MatrixError Quantize(WeightSpec spec, MatrixSettings settings, ErrorFeedback? feedback, MatrixQuantizer.Append append)
    {
        float[] factors = _migration.ColumnFactors(spec.Name);
        using var rows = new MatrixRows(_source, _fp8Block, spec, factors, _migration.Divisors(spec.Name));
        float[] importance = _statistics.TryGetValue(spec.Name, out InputStatistics? s) && s.NumTokens > 0
            ? (factors.Length > 0 ? s.DividedBy(factors) : s).MeanSquare
            : [];
        return MatrixQuantizer.Quantize(rows, settings, importance, feedback, _threads, append);
    }

    private static TensorPlan Same(StoredTensor tensor) => new(tensor.Name, tensor.DType, [.. tensor.Shape]);

    private MatrixSettings Settings(QuantUnit? unit) => new(unit is null ? WeightFormat.Bf16 : _recipe.FormatOf(unit), _recipe.GroupSize);

    private static bool IsFloat(StoredTensor tensor) => tensor.DType is DType.Bf16 or DType.F16 or DType.F32;

    private bool IsUnchanged(StoredTensor tensor, QuantUnit? unit)
        => IsKeptFloat(tensor, unit) && _migration.ColumnFactors(tensor.Name).Length == 0 && _migration.Divisors(tensor.Name).Length == 0;

    /// <summary>Stays of the type it is stored in.</summary>
    private bool IsKeptFloat(StoredTensor tensor, QuantUnit? unit) => IsFloat(tensor) && Settings(unit).Format == WeightFormat.Bf16;

    private bool IsScaleOfMatrix(string name)
        => (name.EndsWith("_scale_inv", StringComparison.Ordinal) && _matrices.ContainsKey(name[..^"_scale_inv".Length]))
            || (name.EndsWith("_scale", StringComparison.Ordinal) && _matrices.ContainsKey(name[..^"_scale".Length]));

    /// <summary>Numbers times powers of two, in their own type: no bit of a mantissa changes.</summary>
    private void RewriteFloats(StoredTensor tensor, WeightSpec spec, TensorSink sink)
    {
        float[] divisors = _migration.Divisors(tensor.Name);
        using var rows = new MatrixRows(_source, _fp8Block, spec, spec.IsVector ? [.. divisors.Select(d => 1 / d)] : _migration.ColumnFactors(tensor.Name), spec.IsVector ? [] : divisors);
        float[] row = new float[rows.Columns];
        for (int r = 0; r < rows.Rows; r++)
        {
            rows.Read(r, row);
            switch (tensor.DType)
            {
                case DType.F32:
                    sink.Append(tensor.Name, MemoryMarshal.AsBytes(row.AsSpan()));
                    break;
                case DType.F16:
                    sink.Append(tensor.Name, MemoryMarshal.AsBytes(row.Select(v => (Half)v).ToArray().AsSpan()));
                    break;
                case DType.Bf16:
                    sink.Append(tensor.Name, MemoryMarshal.AsBytes(row.Select(Bf16.FromSingle).ToArray().AsSpan()));
                    break;
                default:
                    throw new HadalException($"{tensor.Origin}: {tensor.Name} is {tensor.DType}; factors can be moved into F32, F16 and BF16 only.");
            }
        }
    }
}
