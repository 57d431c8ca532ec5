using Hadal.Jit;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>Merges the chunks' states of each row, in order, and finishes it.</summary>
internal unsafe struct EmittedAttentionMerge : IWork
{
    public EmittedAttentionWork Attention;

    public readonly void Run(int worker, int numWorkers)
    {
        int number = 0;
        int valueDim = Attention.Shape.ValueDim;
        nint stateFloats = AttentionArgs.StateFloats(valueDim);
        for (int sequence = 0; sequence < Attention.Batch.NumSequences; sequence++)
        {
            int chunks = ContextChunks.Count(Attention.Batch.ContextLens[sequence]);
            int groups = EmittedAttention.NumGroups(Attention.Batch, sequence, Attention.Shape);
            for (int group = 0; group < groups; group++)
            {
                float* state = Attention.States + ((Attention.FirstTask[sequence] + ((nint)group * chunks)) * stateFloats);
                for (int row = 0; row < AttentionArgs.Rows; row++)
                {
                    if (number++ % numWorkers != worker)
                    {
                        continue;
                    }

                    for (int chunk = 1; chunk < chunks; chunk++)
                    {
                        AttentionState.Merge(state + (chunk * stateFloats), state, row, valueDim);
                    }

                    Attention.Finish(sequence, group, row, state);
                }
            }
        }
    }
}
