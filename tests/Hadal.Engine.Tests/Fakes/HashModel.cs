namespace Hadal.Engine.Tests.Fakes;

/// <summary>A model whose logits are a hash of the whole context: any token read wrong, at any place, changes every logit.</summary>
internal static class HashModel
{
    public const ulong Start = 0x9E3779B97F4A7C15;

    public const int AdapterStride = 100_000;

    public static ulong Mix(ulong hash, int token, int position)
    {
        hash ^= ((ulong)(uint)token << 32) | (uint)position;
        hash *= 0xBF58476D1CE4E5B9;
        return hash ^ (hash >> 29);
    }

    public static void Logits(ulong hash, Span<float> row)
    {
        for (int v = 0; v < row.Length; v++)
        {
            ulong z = (hash + (ulong)v) * 0x94D049BB133111EB;
            z = (z ^ (z >> 31)) * 0xBF58476D1CE4E5B9;
            row[v] = ((int)(z >> 44) - (1 << 19)) / (float)(1 << 17); // [-4, 4)
        }
    }

    public static float[] LogitsAfter(ReadOnlySpan<int> tokens, int vocabSize, int adapter = 0)
    {
        ulong hash = Start;
        for (int i = 0; i < tokens.Length; i++)
            hash = Mix(hash, tokens[i], i + (AdapterStride * adapter));
        var row = new float[vocabSize];
        Logits(hash, row);
        return row;
    }

    /// <summary>The greedy answer, without engine, pages or sampler.</summary>
    public static int[] Greedy(IReadOnlyList<int> prompt, int numTokens, int vocabSize, int adapter = 0)
    {
        List<int> tokens = [.. prompt];
        for (int i = 0; i < numTokens; i++)
        {
            float[] row = LogitsAfter(tokens.ToArray(), vocabSize, adapter);
            int best = 0;
            for (int v = 1; v < vocabSize; v++)
                best = row[v] > row[best] ? v : best;
            tokens.Add(best);
        }

        return [.. tokens.Skip(prompt.Count)];
    }
}
