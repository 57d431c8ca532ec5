using Hadal.Jit;
using Hadal.Kernels.Attention;

namespace Hadal.Kernels.Mla;

/// <summary>Merges the chunks' states of each row, in order, and finishes it.</summary>
internal unsafe struct LatentMergeWork : IWork
{
    public LatentAttentionWork Attention;

    public readonly void Run(int worker, int numWorkers)
    {
        int number = 0;
        int rank = Attention.Shape.KvLoraRank;
        nint stateFloats = LatentArgs.StateFloats(rank);
        for (int sequence = 0; sequence < Attention.Batch.NumSequences; sequence++)
        {
            int chunks = ContextChunks.Count(Attention.Batch.ContextLens[sequence]);
            int groups = LatentAttentionBf16.NumGroups(Attention.Batch, sequence, Attention.Shape.NumHeads);
            for (int group = 0; group < groups; group++)
            {
                float* state = Attention.States + ((Attention.FirstTask[sequence] + ((nint)group * chunks)) * stateFloats);
                for (int row = 0; row < LatentArgs.Rows; row++)
                {
                    if (number++ % numWorkers != worker)
                    {
                        continue;
                    }

                    for (int chunk = 1; chunk < chunks; chunk++)
                    {
                        LatentState.Merge(state + (chunk * stateFloats), state, row, rank);
                    }

                    Attention.Finish(sequence, group, row, state);
                }
            }
        }
    }
}
