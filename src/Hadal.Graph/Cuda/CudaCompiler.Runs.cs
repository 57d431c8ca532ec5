using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Planning;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Norm;
using Hadal.Kernels.Rope;

namespace Hadal.Graph.Cuda;

/// <summary>Nodes that follow one another and are one launch, or are where there are few rows.</summary>
public sealed partial class CudaCompiler
{
    /// <summary>The nodes from <paramref name="at"/> on as one operation; null where they have none in common.</summary>
    /// <returns>And how many nodes it is.</returns>
    private (CudaOp Op, int Count)? CompileRun(ModelGraph graph, Dictionary<Value, List<Node>> consumers, int at)
    {
        Node first = graph.Nodes[at];
        Node? second = at + 1 < graph.Nodes.Count ? graph.Nodes[at + 1] : null;
        Node? third = at + 2 < graph.Nodes.Count ? graph.Nodes[at + 2] : null;
        if (second is null)
        {
            return null;
        }

        if (first.Op is RopeOp)
        {
            return RotateAndWrite(first, second) is { } rope ? (rope, 2) : null;
        }

        if (_f32)
        {
            return null;
        }

        if (first.Op is RmsNormOp && Alone(first.Output))
        {
            if (second.Op is SelectLogitRowsOp && third?.Op is LinearOp { HasResidual: false } && Reads(second, first.Output) && Reads(third, second.Output) && Alone(second.Output))
            {
                return NormedMatmul(first, second, third) is { } head ? (head, 3) : null;
            }

            return second.Op is LinearOp { HasResidual: false } or GateUpOp && Reads(second, first.Output) && NormedMatmul(first, null, second) is { } normed ? (normed, 2) : null;
        }

        if (first.Op is RmsNormOp)
        {
            return NormOfSeveral(graph, consumers, at) is { } shared ? (shared, 1) : null;
        }

        return first.Op is ExpertsOp && second.Op is AddRmsNormOp && Alone(first.Output) && CombineAndNorm(first, second) is { } combined ? (combined, 2) : null;

        bool Alone(Value value) => value.Base is null && !graph.IsOutput(value) && consumers.TryGetValue(value, out List<Node>? readers) && readers.Count == 1;

        static bool Reads(Node node, Value value) => ReferenceEquals(node.Inputs[0], value);
    }

    /// <summary>Rotating queries and writing rotated keys is one launch where the one follows the other.</summary>
    private CudaOp? RotateAndWrite(Node first, Node second)
    {
        var rope = (RopeOp)first.Op;
        if (second.Op is RopeKvWriteOp write && ReferenceEquals(first.Inputs[1], second.Inputs[2])
            && rope.Start == write.Start && rope.Interleaved == write.Interleaved)
        {
            (CudaBuffer q, CudaBuffer table, CudaBuffer qOut) = (Buffer(first.Inputs[0]), Buffer(first.Inputs[1]), Buffer(first.Output));
            (CudaBuffer k, CudaBuffer v) = (Buffer(second.Inputs[0]), Buffer(second.Inputs[1]));
            return new CudaOp(second, s => RopeCuda.RopeQueryKvWrite(
                s.Kernels, s.Stream, q.Matrix(s), qOut.Matrix(s), k.Matrix(s), v.Matrix(s), table.Matrix(s), rope.NumHeads, write.NumKvHeads, rope.Start, rope.Interleaved, s.Batch.Slots, s.Pages(write.Layer)));
        }

        if (second.Op is MlaNormRopeKvWriteOp latent && ReferenceEquals(first.Inputs[1], second.Inputs[1])
            && ReferenceEquals(first.Output.Root, first.Inputs[0].Root) && rope.Interleaved == latent.Interleaved)
        {
            nint w = _weights.Vector(latent.NormWeight);
            (CudaBuffer q, CudaBuffer table, CudaBuffer kvA) = (Buffer(first.Inputs[0]), Buffer(first.Inputs[1]), Buffer(second.Inputs[0]));
            return new CudaOp(second, s => MlaNormRopeKvWriteCuda.Run(
                s.Kernels, s.Stream, kvA.Matrix(s), w, latent.Eps, table.Matrix(s), latent.Interleaved, s.Batch.Slots, s.Pages(latent.Layer), q.Matrix(s), rope.NumHeads, rope.Start));
        }

        return null;
    }

    /// <summary>A norm (of the rows whose logits are wanted) and the one matmul that reads it: one launch for a row or two.</summary>
    private CudaOp? NormedMatmul(Node first, Node? select, Node matmul)
    {
        var norm = (RmsNormOp)first.Op;
        bool gateUp = matmul.Op is GateUpOp;
        IReadOnlyList<(DeviceWeight Weight, int FirstRow)> stacks = Stacks(matmul);
        // Blocks read x while others write y, and what is normed is a row, not heads.
        if (stacks.Count != 1 || first.Inputs[0].Type != ElementType.F32 || norm.Weight.Rows != first.Inputs[0].Columns || !Apart(first.Inputs[0], matmul.Output))
        {
            return null;
        }

        DeviceWeight weight = stacks[0].Weight;
        nint biases = matmul.Op is LinearOp linear ? _weights.Biases(linear.Parts) : 0;
        nint w = _weights.Vector(norm.Weight);
        (CudaBuffer x, CudaBuffer normed, CudaBuffer y) = (Buffer(first.Inputs[0]), Buffer((select ?? first).Output), Buffer(matmul.Output));
        bool deterministic = _options.Deterministic;
        bool fewer = select is not null;
        return new CudaOp(
            matmul,
            s =>
            {
                nint rows = fewer ? s.Batch.LogitRows : 0;
                DeviceMatrix to = y.Matrix(s);
                if (!deterministic && MatMulCuda.TakesNorm(s.Kernels, weight, to.Rows))
                {
                    var row = new RowNorm(w, norm.Eps, rows);
                    if (gateUp)
                    {
                        MatMulCuda.RunNormGateUp(s.Kernels, s.Stream, x.Matrix(s), row, weight, to);
                    }
                    else
                    {
                        MatMulCuda.RunNorm(s.Kernels, s.Stream, x.Matrix(s), row, weight, biases, to);
                    }

                    return;
                }

                RmsNormCuda.Run(s.Kernels, s.Stream, x.Matrix(s), w, norm.Weight.Rows, norm.Eps, normed.Matrix(s), rows);
                if (gateUp)
                {
                    MatMulCuda.RunGateUp(s.Kernels, s.Stream, normed.Matrix(s), weight, to, s.Workspace, s.Counters, deterministic);
                }
                else
                {
                    MatMulCuda.Run(s.Kernels, s.Stream, normed.Matrix(s), weight, biases, default, to, s.Workspace, s.Counters, deterministic);
                }
            },
            shape => Scratch(stacks, shape.Rows(normed.Rows)));
    }

    /// <summary>A norm that several matmuls read (shared experts, the router, experts): of a token alone each norms for itself, and the norm has no launch.</summary>
    private CudaOp? NormOfSeveral(ModelGraph graph, Dictionary<Value, List<Node>> consumers, int at)
    {
        Node node = graph.Nodes[at];
        var norm = (RmsNormOp)node.Op;
        (Value x, Value y) = (node.Inputs[0], node.Output);
        if (_options.Deterministic || x.Type != ElementType.F32 || x.Base is not null || y.Base is not null || norm.Weight.Rows != x.Columns || graph.IsOutput(y)
            || !consumers.TryGetValue(y, out List<Node>? readers))
        {
            return null;
        }

        // What is normed must last as long as what it is normed to would.
        int last = readers.Max(r => Index(graph, r));
        bool lasts = consumers[x].Any(r => Index(graph, r) >= last) || graph.IsOutput(x);
        bool all = lasts && readers.TrueForAll(r => ReferenceEquals(r.Inputs[0], y) && r.Inputs.Skip(1).All(i => !ReferenceEquals(i.Root, y)) && r.Op switch
        {
            LinearOp { HasResidual: false } or GateUpOp => Stacks(r) is [var (weight, _)] && MatMulCuda.TakesNorm(_kernels, weight, 1),
            ExpertsOp => MatMulCuda.TakesNorm(_kernels, ExpertGates(r), 1),
            _ => false,
        });
        if (!all)
        {
            return null;
        }

        nint w = _weights.Vector(norm.Weight);
        (CudaBuffer from, CudaBuffer to) = (Buffer(x), Buffer(y));
        _loneNorms.Add(y, new LoneNorm(from, new RowNorm(w, norm.Eps)));
        return new CudaOp(node, s =>
        {
            if (s.Shape.NumTokens != 1)
            {
                RmsNormCuda.Run(s.Kernels, s.Stream, from.Matrix(s), w, norm.Weight.Rows, norm.Eps, to.Matrix(s));
            }
        });
    }

    private static int Index(ModelGraph graph, Node node)
    {
        for (int i = 0; i < graph.Nodes.Count; i++)
        {
            if (ReferenceEquals(graph.Nodes[i], node))
            {
                return i;
            }
        }

        throw new ArgumentException($"{node} is not of the graph", nameof(node));
    }

    private LoneNorm? LoneNormOf(Node node) => _loneNorms.TryGetValue(node.Inputs[0], out LoneNorm norm) ? norm : null;

    /// <summary>Experts' rows added up, the residual stream added to them, and the norm of the sum.</summary>
    private CudaOp? CombineAndNorm(Node first, Node second)
    {
        var norm = (AddRmsNormOp)second.Op;
        Value stream = second.Inputs[ReferenceEquals(second.Inputs[0], first.Output) ? 1 : 0];
        (Value sum, Value normed) = (second.Outputs[0], second.Outputs[1]);
        // Each token has a block of its own, so nothing may be written over what another token still reads.
        bool apart = first.Inputs.Skip(2).All(i => Apart(i, sum) && Apart(i, normed)) && Apart(stream, normed) && (Apart(stream, sum) || _plan.Offsets[stream.Root] == _plan.Offsets[sum.Root]);
        if (!apart || stream.Type != ElementType.F32 || stream.Base is not null || normed.Type != ElementType.Bf16 || sum.Columns % 8 != 0 || sum.Columns > MoeCombineCuda.MaxNormWidth)
        {
            return null;
        }

        return CompileExperts(first, (ExpertsOp)first.Op, new ExpertsNorm(_weights.Vector(norm.Weight), norm.Eps, Buffer(stream), Buffer(sum), Buffer(normed)));
    }

    /// <summary>Of a matmul behind attention, where memory was idle: what the next one reads first, as much of it as L2 may hold beside the rest.</summary>
    private WeightsAhead Ahead(ModelGraph graph, int at)
    {
        if (at == 0 || graph.Nodes[at - 1].Op is not AttentionOp)
        {
            return default;
        }

        for (int i = at + 1; i < graph.Nodes.Count; i++)
        {
            if (graph.Nodes[i].Op is LinearOp or GateUpOp)
            {
                IReadOnlyList<(DeviceWeight Weight, int FirstRow)> stacks = Stacks(graph.Nodes[i]);
                return WeightsAhead.Of(stacks[0].Weight, graph.Nodes[i].Op is GateUpOp && stacks.Count == 1, _kernels.Context.Device.L2Bytes / 4 * 3);
            }
        }

        return default;
    }

    private bool Apart(Value a, Value b)
    {
        (Value x, Value y) = (a.Root, b.Root);
        return x.Rows != y.Rows || _plan.Offsets[x] + BufferPlanner.Bytes(x) <= _plan.Offsets[y] || _plan.Offsets[y] + BufferPlanner.Bytes(y) <= _plan.Offsets[x];
    }

    /// <summary>A norm that the matmuls behind it do for themselves where a step has one token.</summary>
    private readonly record struct LoneNorm(CudaBuffer X, RowNorm Row);

    /// <summary>What follows experts in the same launch as adding up their rows.</summary>
    private readonly record struct ExpertsNorm(nint Weight, float Eps, CudaBuffer Residual, CudaBuffer Sum, CudaBuffer Normed);
}
