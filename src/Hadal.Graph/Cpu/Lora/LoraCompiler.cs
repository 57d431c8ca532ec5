using Hadal.Graph.Adapters;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Mla;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu.Lora;

/// <summary>Puts adapters beside the operations whose weights they change.</summary>
/// <param name="adapters">In the order of their numbers.</param>
/// <param name="owned">Takes what the program has to dispose.</param>
internal sealed class LoraCompiler(IReadOnlyList<LoraAdapter> adapters, List<IDisposable> owned)
{
    private readonly Dictionary<(int Adapter, string Weight), LoraMatrices> _pairs = [];
    private readonly Dictionary<(int Adapter, string Weight), LoraHeads> _heads = [];
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    /// <summary>The operation, with adapters beside it where any of them has a pair for one of its weights.</summary>
    public CpuOp Wrap(CpuOp op, CpuBuffer x, CpuBuffer y)
    {
        switch (op.Node.Op)
        {
            case LinearOp linear when linear.Parts.Any(p => Changes(p.Weight)):
                int column = 0;
                var parts = new List<(int, LoraMatrices?[])>();
                foreach (LinearPart part in linear.Parts)
                {
                    if (Changes(part.Weight))
                    {
                        parts.Add((column, Pairs(part.Weight)));
                    }

                    column += part.Weight.Rows;
                }

                return new CpuLora(op, x, y, [.. parts]) { Node = op.Node };
            case MlaAbsorbQueryOp absorb when Changes(absorb.KvB):
                return new CpuLoraHeads(op, x, y, absorb.Shape, Heads(absorb.KvB, absorb.Shape), absorbs: true) { Node = op.Node };
            case MlaExpandValueOp expand when Changes(expand.KvB):
                return new CpuLoraHeads(op, x, y, expand.Shape, Heads(expand.KvB, expand.Shape), absorbs: false) { Node = op.Node };
            default:
                return op;
        }
    }

    /// <summary>No pair may have been left over: it would be ignored without a word.</summary>
    public void CheckAllUsed()
    {
        foreach (LoraAdapter adapter in adapters)
        {
            if (adapter.Pairs.Keys.FirstOrDefault(w => !_used.Contains(w)) is { } weight)
            {
                throw new HadalException($"Adapter {adapter.Name} changes {weight}, which no operation of this program takes a pair beside (kv_b_proj needs the pass mla-absorption; gate_proj and up_proj need the pass gate-up left out).");
            }
        }
    }

    private bool Changes(WeightSpec weight) => adapters.Any(a => a.Pairs.ContainsKey(weight.Name));

    private LoraMatrices?[] Pairs(WeightSpec weight)
        => [.. adapters.Select((a, i) => a.Pairs.TryGetValue(weight.Name, out LoraPair? pair) ? Pair(i, weight.Name, pair) : null)];

    private LoraHeads?[] Heads(WeightSpec kvB, MlaShape shape)
        => [.. adapters.Select((a, i) => a.Pairs.TryGetValue(kvB.Name, out LoraPair? pair) ? Heads(i, kvB.Name, pair, shape) : null)];

    private LoraMatrices Pair(int adapter, string weight, LoraPair pair)
    {
        _used.Add(weight);
        if (!_pairs.TryGetValue((adapter, weight), out LoraMatrices? matrices))
        {
            _pairs[(adapter, weight)] = matrices = new LoraMatrices(pair);
            owned.Add(matrices);
        }

        return matrices;
    }

    private LoraHeads Heads(int adapter, string weight, LoraPair pair, MlaShape shape)
    {
        if (!_heads.TryGetValue((adapter, weight), out LoraHeads? heads))
        {
            _heads[(adapter, weight)] = heads = new LoraHeads(Pair(adapter, weight, pair), shape);
            owned.Add(heads);
        }

        return heads;
    }
}
