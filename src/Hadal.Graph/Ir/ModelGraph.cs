using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Moe;
using Hadal.Numerics;

namespace Hadal.Graph.Ir;

/// <summary>
/// A model as a list of operations in order, over values with symbolic rows. Models build it with the verbs below; passes rewrite it; a device compiles it.
/// </summary>
public sealed class ModelGraph
{
    /// <summary>Name of the output that holds every token's hidden state after the final norm, [T, D].</summary>
    public const string Hidden = "hidden";

    private readonly List<Node> _nodes = [];
    private readonly List<int> _kvWidths = [];
    private readonly Dictionary<string, Value> _outputs = new(StringComparer.Ordinal);
    private int _nextValue;

    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>Elements one token's page row takes, by layer.</summary>
    public IReadOnlyList<int> KvWidths => _kvWidths;

    /// <summary>Values that must outlive the step: <c>logits</c>, <see cref="Hidden"/>, and whatever else was asked for.</summary>
    public IReadOnlyDictionary<string, Value> Outputs => _outputs;

    /// <summary>Prefix of the scope of nodes to come.</summary>
    public string Scope { get; set; } = "";

    public IEnumerable<WeightSpec> Weights => _nodes.SelectMany(n => n.Op.Weights).Distinct();

    /// <summary>A value that comes from outside, for parts of a model that are described but not yet run.</summary>
    public Value NewInput(int columns) => NewValue(RowSymbol.Tokens, columns);

    public Value Embed(WeightSpec w) => Add(new EmbedOp(w), [], RowSymbol.Tokens, w.Columns);

    public Value RmsNorm(Value x, WeightSpec w, float eps)
    {
        Require(x.Columns % w.Rows == 0, $"norm of {w.Rows} does not divide {x.Columns} columns");
        return Add(new RmsNormOp(w, eps), [x], x.Rows, x.Columns);
    }

    /// <summary>x · wᵀ, then bias where there is one.</summary>
    public Value Linear(Value x, WeightSpec w, WeightSpec? bias = null)
    {
        Require(w.Columns == x.Columns, $"{w} does not take {x.Columns} columns");
        Value y = Add(new LinearOp([new LinearPart(w, null)]), [x], x.Rows, w.Rows);
        return bias is null ? y : Add(new AddBiasOp(bias), [y], y.Rows, y.Columns);
    }

    public Value Add(Value a, Value b) => Binary(new AddOp(), a, b);

    public Value Mul(Value a, Value b) => Binary(new MulOp(), a, b);

    public Value Silu(Value x) => Add(new SiluOp(), [x], x.Rows, x.Columns);

    /// <summary>Columns [offset, offset + columns) of x: a view.</summary>
    public Value Slice(Value x, int offset, int columns)
    {
        Require(offset >= 0 && columns > 0 && offset + columns <= x.Columns, $"slice {offset}+{columns} of {x.Columns} columns");
        return new Value(_nextValue++, x.Rows, columns, x.Type, x, offset);
    }

    public Value RopeTable(float[] inverseFrequencies, float magnitude)
        => Add(new RopeTableOp(inverseFrequencies, magnitude), [], RowSymbol.Tokens, 2 * inverseFrequencies.Length);

    public Value Rope(Value x, Value table, int numHeads, int start, bool interleaved)
    {
        Require(x.Columns % numHeads == 0 && start + table.Columns <= x.Columns / numHeads, $"rope of {table.Columns} at {start} in {numHeads} heads of {x.Columns} columns");
        return Add(new RopeOp(numHeads, start, interleaved), [x, table], x.Rows, x.Columns);
    }

    /// <summary>Writes [first | second] to the pages of a layer; attention of that layer takes the result to come after it.</summary>
    public Value KvWrite(Value first, Value second, int layer)
    {
        Require(layer == _kvWidths.Count, $"layer {layer} after {_kvWidths.Count} layers with pages");
        _kvWidths.Add(first.Columns + second.Columns);
        return Add(new KvWriteOp(layer), [first, second], first.Rows, 0);
    }

    public Value Attention(Value q, Value kvWritten, int layer, int numHeads, int numKvHeads, float scale)
        => Add(new AttentionOp(layer, numHeads, numKvHeads, scale), [q, kvWritten], q.Rows, q.Columns);

    public Value MlaAttention(Value q, Value kvWritten, int layer, WeightSpec kvB, MlaShape shape, float scale)
        => Add(new MlaAttentionOp(layer, kvB, shape, scale), [q, kvWritten], q.Rows, shape.NumHeads * shape.VHeadDim);

    public (Value Ids, Value Weights) Router(Value logits, WeightSpec? correctionBias, RouterConfig config)
    {
        Value ids = NewValue(logits.Rows, config.TopK, ElementType.I32);
        Value weights = NewValue(logits.Rows, config.TopK);
        _nodes.Add(new Node(new RouterOp(config, correctionBias), Scope, [logits], [ids, weights]));
        return (ids, weights);
    }

    public Value Experts(Value x, Value ids, Value weights, IReadOnlyList<WeightSpec> gate, IReadOnlyList<WeightSpec> up, IReadOnlyList<WeightSpec> down)
        => Add(new ExpertsOp(gate, up, down), [x, ids, weights], x.Rows, x.Columns);

    /// <summary>The hidden states that a program before this one left for the step's tokens.</summary>
    public Value PreviousHidden(int columns) => Add(new PreviousHiddenOp(), [], RowSymbol.Tokens, columns);

    /// <summary>[norm(embedding) | norm(hidden)]</summary>
    public Value MtpJoin(Value embedding, Value hidden, WeightSpec embeddingNorm, WeightSpec hiddenNorm, float eps)
    {
        Require(embedding.Columns == embeddingNorm.Rows && hidden.Columns == hiddenNorm.Rows && embedding.Columns == hidden.Columns, $"join of {embedding} and {hidden} under norms of {embeddingNorm.Rows} and {hiddenNorm.Rows}");
        return Add(new MtpJoinOp(embeddingNorm, hiddenNorm, eps), [embedding, hidden], embedding.Rows, 2 * embedding.Columns);
    }

    /// <summary>The rows whose logits the step wants.</summary>
    public Value SelectLogitRows(Value x) => Add(new SelectLogitRowsOp(), [x], RowSymbol.LogitRows, x.Columns);

    /// <summary>Keeps a value past the step under a name.</summary>
    public void Output(string name, Value value) => _outputs.Add(name, value);

    // ---- What passes need ----

    internal Value NewValue(RowSymbol rows, int columns, ElementType type = ElementType.F32) => new(_nextValue++, rows, columns, type);

    /// <summary>How often each value's memory is read: views count for their root, outputs once more.</summary>
    internal Dictionary<Value, List<Node>> ConsumersByRoot()
    {
        var map = new Dictionary<Value, List<Node>>();
        foreach (Node node in _nodes)
        {
            foreach (Value input in node.Inputs)
            {
                if (!map.TryGetValue(input.Root, out List<Node>? list))
                {
                    map[input.Root] = list = [];
                }

                list.Add(node);
            }
        }

        return map;
    }

    internal bool IsOutput(Value value) => _outputs.Values.Any(o => ReferenceEquals(o.Root, value.Root));

    internal void ReplaceNodes(IEnumerable<Node> nodes)
    {
        List<Node> list = [.. nodes];
        _nodes.Clear();
        _nodes.AddRange(list);
    }

    private Value Binary(Op op, Value a, Value b)
    {
        Require(a.Columns == b.Columns && a.Rows == b.Rows, $"{op.Name} of {a} and {b}");
        return Add(op, [a, b], a.Rows, a.Columns);
    }

    private Value Add(Op op, Value[] inputs, RowSymbol rows, int columns)
    {
        Value output = NewValue(rows, columns);
        _nodes.Add(new Node(op, Scope, inputs, [output]));
        return output;
    }

    private void Require(bool condition, string what)
    {
        if (!condition)
        {
            throw new HadalException($"The configuration does not fit together at {Scope}: {what}.");
        }
    }
}
