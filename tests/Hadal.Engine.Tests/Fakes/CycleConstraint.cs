using Hadal.Engine.Constraints;

namespace Hadal.Engine.Tests.Fakes;

/// <summary>From its <paramref name="start"/>-th token on, token i of the answer must be congruent to i modulo <paramref name="modulus"/>; complete after <paramref name="length"/> tokens.</summary>
internal sealed class CycleConstraint(int vocabSize, int modulus, int start = 0, int length = int.MaxValue) : ITokenConstraint
{
    private readonly uint[] _mask = new uint[TokenMask.NumWords(vocabSize)];

    public List<int> Accepted { get; } = [];

    public int NumMasks { get; private set; }

    public bool IsActive => Accepted.Count >= start;

    public bool IsComplete => Accepted.Count >= length;

    public ReadOnlySpan<uint> Mask()
    {
        Assert.True(IsActive);
        NumMasks++;
        Array.Clear(_mask);
        for (int t = 0; t < vocabSize; t++)
        {
            if (t % modulus == Accepted.Count % modulus)
                TokenMask.Allow(_mask, t);
        }

        return _mask;
    }

    public void Accept(int token)
    {
        if (IsActive && token % modulus != Accepted.Count % modulus)
            throw new InvalidOperationException($"token {token} is not allowed");
        Accepted.Add(token);
    }

    public void Rollback(int numTokens) => Accepted.RemoveRange(Accepted.Count - numTokens, numTokens);
}
