namespace Hadal.Graph.Cuda;

/// <summary>Bytes that a step needs beside its values.</summary>
/// <param name="Workspace">For one operation at a time.</param>
/// <param name="Kept">From one operation to a later one.</param>
/// <param name="Counters">Zero between operations.</param>
internal readonly record struct StepScratch(long Workspace, long Kept = 0, long Counters = 0)
{
    public StepScratch Max(StepScratch other) => new(Math.Max(Workspace, other.Workspace), Math.Max(Kept, other.Kept), Math.Max(Counters, other.Counters));
}
