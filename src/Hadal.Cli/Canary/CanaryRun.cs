using Hadal.Cli.Session;
using Hadal.Graph.Cpu;
using Hadal.Numerics;

namespace Hadal.Cli.Canary;

/// <summary>Runs the fixed prompt through a model that nobody else steps yet.</summary>
internal static class CanaryRun
{
    /// <summary>Plain words and sums: whatever a tokenizer makes of them, a model has something likely to say.</summary>
    public const string Prompt = "The capital of France is Paris. 12 + 7 = 19, and once upon a time there was a small boat on the wide, deep sea.";

    private const int NumTop = 16;
    private const int Stride = 4;

    /// <exception cref="HadalException">A result is NaN or infinite; on the CPU the message names the operation that gave it first.</exception>
    /// <param name="session">The model.</param>
    /// <param name="dtype">What is noted of its types.</param>
    /// <param name="expected">Whose places and ids are wanted too; null for none.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static (Fingerprint Found, Dictionary<(int Position, int Id), float> Logits) Take(ModelSession session, string dtype, Fingerprint? expected, CancellationToken cancellationToken)
    {
        var wanted = new Dictionary<(int, int), float>();
        int[] tokens = session.RequireTokenizer().Encode(Prompt, true);
        tokens = tokens[..Math.Min(tokens.Length, session.Runner.MaxContextLen)];
        var places = new List<FingerprintPlace>();
        int vocab = session.Config.VocabSize;
        CpuProgram? program = (session.Runner as CpuModelRunner)?.Program;
        if (program is not null)
        {
            program.ChecksFinite = true;
        }

        try
        {
            new SequenceLogits(session.Runner).Run(tokens, Receive, cancellationToken);
        }
        finally
        {
            if (program is not null)
            {
                program.ChecksFinite = false;
            }
        }

        var found = new Fingerprint
        {
            Format = Fingerprint.CurrentFormat,
            ModelType = session.Config.ModelType,
            VocabSize = vocab,
            NumHiddenLayers = session.Config.NumHiddenLayers,
            Dtype = dtype,
            Prompt = Prompt,
            Tokens = tokens,
            Places = places,
        };
        return (found, wanted);

        void Receive(int first, ReadOnlySpan<float> logits)
        {
            for (int at = 0; at < logits.Length; at += vocab)
            {
                int position = first + (at / vocab);
                ReadOnlySpan<float> row = logits.Slice(at, vocab);
                for (int i = 0; i < vocab; i++)
                {
                    if (!float.IsFinite(row[i]))
                    {
                        throw new HadalException($"Canary: the logit of token {i} after token {position} of the fixed prompt is {row[i]}: the weights are damaged, or activations overflow with {dtype}. The model is not served.");
                    }
                }

                foreach (FingerprintPlace place in expected?.Places.Where(p => p.Position == position) ?? [])
                {
                    foreach (int id in place.Ids.Where(id => id < vocab))
                    {
                        wanted[(position, id)] = logits[at + id];
                    }
                }

                if (position == tokens.Length - 1 || position % Stride == Stride - 1)
                {
                    places.Add(Top(position, row));
                }
            }
        }
    }

    private static FingerprintPlace Top(int position, ReadOnlySpan<float> row)
    {
        int[] ids = [.. Enumerable.Range(0, row.Length)];
        float[] keys = [.. row];
        Array.Sort(keys, ids);
        int n = Math.Min(NumTop, ids.Length);
        return new FingerprintPlace(position, [.. ids.Reverse().Take(n)], [.. keys.Reverse().Take(n)]);
    }
}
