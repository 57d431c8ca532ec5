namespace Hadal.Engine.Constraints.Matching;

/// <summary>
/// What a state's own rule says about the next token, whatever the stack: tokens that may come, and nodes of the token tree where the rule may have
/// ended, so that what lies below depends on the stack.
/// </summary>
internal sealed class PositionMask
{
    private readonly uint[]? _bits;
    private readonly int[]? _tokens;

    public PositionMask(uint[] bits, int[] escapes)
    {
        Escapes = escapes;
        int count = 0;
        foreach (uint word in bits)
            count += System.Numerics.BitOperations.PopCount(word);
        NumTokens = count;
        if (count > bits.Length)
        {
            _bits = (uint[])bits.Clone();
        }
        else
        {
            // Within a property's name hardly any token fits: a mask for each of its bytes would be kilobytes of zeros.
            _tokens = new int[count];
            for (int w = 0, n = 0; w < bits.Length; w++)
            {
                for (uint word = bits[w]; word != 0; word &= word - 1)
                    _tokens[n++] = (w * 32) + System.Numerics.BitOperations.TrailingZeroCount(word);
            }
        }
    }

    public int[] Escapes { get; }

    public int NumTokens { get; }

    public int NumBytes => 64 + (4 * ((_bits?.Length ?? _tokens!.Length) + Escapes.Length));

    public void AddTo(Span<uint> mask)
    {
        if (_bits is not null)
        {
            System.Numerics.Tensors.TensorPrimitives.BitwiseOr(mask[.._bits.Length], _bits, mask[.._bits.Length]);
            return;
        }

        foreach (int token in _tokens!)
            TokenMask.Allow(mask, token);
    }
}
