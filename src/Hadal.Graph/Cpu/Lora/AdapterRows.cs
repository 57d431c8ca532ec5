using Hadal.Graph.Execution;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu.Lora;

/// <summary>A step's tokens by adapter, in order. Kept from step to step; allocates only when it grows.</summary>
internal sealed unsafe class AdapterRows : IDisposable
{
    private NativeBuffer _rows = new(0);
    private readonly List<(int Adapter, int First, int Count)> _groups = [];

    /// <summary>Number of the adapter, and its place and count in <see cref="Rows"/>. Empty for a step without adapters.</summary>
    public List<(int Adapter, int First, int Count)> Groups => _groups;

    public int* Rows => _rows.As<int>();

    public void Group(StepBatch batch, int numAdapters)
    {
        _groups.Clear();
        if (!batch.HasAdapters)
        {
            return;
        }

        NativeBuffer.Grow(ref _rows, (nuint)batch.NumTokens * sizeof(int));
        int* cuSeqLens = batch.AsPagedBatch().CuSeqLens;
        int at = 0;
        for (int adapter = 1; adapter <= numAdapters; adapter++)
        {
            int first = at;
            for (int s = 0; s < batch.NumSequences; s++)
            {
                if (batch.AdapterOf(s) != adapter)
                {
                    continue;
                }

                for (int t = cuSeqLens[s]; t < cuSeqLens[s + 1]; t++)
                {
                    Rows[at++] = t;
                }
            }

            if (at > first)
            {
                _groups.Add((adapter, first, at - first));
            }
        }
    }

    public void Dispose() => _rows.Dispose();
}
