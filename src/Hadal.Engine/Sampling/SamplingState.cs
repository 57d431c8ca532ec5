using System.Runtime.InteropServices;
using Hadal.Engine.Constraints;

namespace Hadal.Engine.Sampling;

/// <summary>What sampling one sequence needs: its parameters laid out for the loop, and the tokens it has seen.</summary>
internal sealed class SamplingState
{
    private readonly int[] _biasIds;
    private readonly float[] _biases;
    private readonly int[] _endIds;
    private readonly bool _hasPenalties;

    // Token to how often it stands in the answer; 0 for tokens of the prompt only. Null without penalties.
    private readonly Dictionary<int, int>? _seen;

    /// <param name="parameters">Checked.</param>
    /// <param name="seed">The request's; choices differ by their index.</param>
    /// <param name="choiceIndex">Which of the n answers.</param>
    /// <param name="endIds">Ids that end the text.</param>
    /// <param name="promptTokens">For the repetition penalty.</param>
    /// <param name="constraint">This choice's own; null for none.</param>
    public SamplingState(SamplingParams parameters, ulong seed, int choiceIndex, int[] endIds, ReadOnlySpan<int> promptTokens, ITokenConstraint? constraint = null)
    {
        Constraint = constraint;
        Parameters = parameters;
        Seed = seed;
        ChoiceIndex = choiceIndex;
        _endIds = endIds;
        _biasIds = parameters.LogitBias is { } bias ? [.. bias.Keys] : [];
        _biases = parameters.LogitBias is { } values ? [.. values.Values] : [];
        _hasPenalties = parameters.RepetitionPenalty != 1f || parameters.FrequencyPenalty != 0f || parameters.PresencePenalty != 0f;
        if (!_hasPenalties)
            return;
        _seen = [];
        if (parameters.RepetitionPenalty != 1f)
        {
            foreach (int token in promptTokens)
                _seen.TryAdd(token, 0);
        }
    }

    public SamplingParams Parameters { get; }

    public ulong Seed { get; }

    public int ChoiceIndex { get; }

    /// <summary>What may come next; it has accepted every token that <see cref="Add"/> was given.</summary>
    public ITokenConstraint? Constraint { get; }

    /// <summary>Tokens of the answer so far.</summary>
    public int NumGenerated { get; private set; }

    public bool MayEnd => NumGenerated >= Parameters.MinTokens;

    public bool ChangesLogits => _hasPenalties || _biasIds.Length > 0 || (_endIds.Length > 0 && !MayEnd) || Constraint is { IsActive: true };

    public bool IsEnd(int token) => _endIds.AsSpan().Contains(token);

    public void Add(int token)
    {
        Constraint?.Accept(token);
        NumGenerated++;
        if (_seen is not null)
            CollectionsMarshal.GetValueRefOrAddDefault(_seen, token, out _)++;
    }

    /// <summary>Bias, then penalties, then the bans, of ends and by the constraint: each on the result of the one before.</summary>
    public void Apply(Span<float> logits)
    {
        for (int i = 0; i < _biasIds.Length; i++)
            logits[_biasIds[i]] += _biases[i];
        if (_seen is not null)
        {
            foreach ((int token, int count) in _seen)
            {
                ref float logit = ref logits[token];
                logit = logit > 0 ? logit / Parameters.RepetitionPenalty : logit * Parameters.RepetitionPenalty;
                if (count > 0)
                    logit -= (count * Parameters.FrequencyPenalty) + Parameters.PresencePenalty;
            }
        }

        if (Constraint is { IsActive: true })
            TokenMask.Apply(Constraint.Mask(), logits);
        if (MayEnd)
            return;
        foreach (int id in _endIds)
            logits[id] = float.NegativeInfinity;
    }
}
