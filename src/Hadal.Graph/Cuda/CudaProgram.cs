using Hadal.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Planning;

namespace Hadal.Graph.Cuda;

/// <summary>A compiled model on a card: a list of launches over buffers that are kept from step to step.</summary>
internal sealed class CudaProgram(ModelGraph graph, BufferPlan plan, CudaOp[] ops, CudaWeights weights, CudaBuffer logits) : IDisposable
{
    public ModelGraph Graph { get; } = graph;

    public BufferPlan Plan { get; } = plan;

    public CudaWeights Weights { get; } = weights;

    public CudaBuffer Logits { get; } = logits;

    /// <summary>Where the time goes, by operation; null (and free) unless someone asks.</summary>
    public StepProfile? Profile { get; set; }

    /// <summary>The most that any operation of a step wants.</summary>
    public StepScratch Scratch(StepShape shape)
    {
        var most = default(StepScratch);
        foreach (CudaOp op in ops)
        {
            most = op.Scratch is { } scratch ? most.Max(scratch(shape)) : most;
        }

        return most;
    }

    /// <summary>Launches every operation over the step that has begun.</summary>
    public void Launch(CudaStep step)
    {
        foreach (CudaOp op in ops)
        {
            // A chunk that wants no logits still runs the trunk, for its pages.
            if (step.Shape.NumLogitRows == 0 && op.Node.Output.Rows == RowSymbol.LogitRows)
            {
                continue;
            }

            if (Profile is { } profile)
            {
                Timed(op, step, profile);
            }
            else
            {
                op.Run(step);
            }
        }
    }

    public CudaBuffer Output(string name) => CudaCompiler.Buffer(Plan, Graph.Outputs[name]);

    public void Dispose() => Weights.Dispose();

    private static void Timed(CudaOp op, CudaStep step, StepProfile profile)
    {
        using CudaEvent start = step.Kernels.Context.NewEvent(timing: true);
        using CudaEvent end = step.Kernels.Context.NewEvent(timing: true);
        step.Stream.Record(start);
        op.Run(step);
        step.Stream.Record(end);
        end.Synchronize();
        profile.Add(op.Node.Op.Name, (long)(end.MillisecondsSince(start) / 1e3 * System.Diagnostics.Stopwatch.Frequency));
    }
}
