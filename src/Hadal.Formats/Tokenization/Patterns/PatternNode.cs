namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>The syntax tree of a pattern.</summary>
internal abstract record PatternNode
{
    /// <summary>True when the node can match the empty string.</summary>
    public abstract bool CanBeEmpty { get; }

    internal sealed record Set(CharClass Class) : PatternNode
    {
        public override bool CanBeEmpty => false;
    }

    internal sealed record Sequence(PatternNode[] Items) : PatternNode
    {
        public override bool CanBeEmpty => Array.TrueForAll(Items, i => i.CanBeEmpty);
    }

    internal sealed record Alternation(PatternNode[] Items) : PatternNode
    {
        public override bool CanBeEmpty => Array.Exists(Items, i => i.CanBeEmpty);
    }

    /// <param name="Max">-1 for no limit.</param>
    internal sealed record Repeat(PatternNode Item, int Min, int Max, RepeatMode Mode) : PatternNode
    {
        public override bool CanBeEmpty => Min == 0 || Item.CanBeEmpty;
    }

    internal sealed record LookAhead(PatternNode Item, bool Negative) : PatternNode
    {
        public override bool CanBeEmpty => true;
    }

    internal sealed record Atomic(PatternNode Item) : PatternNode
    {
        public override bool CanBeEmpty => Item.CanBeEmpty;
    }

    internal sealed record Anchor(PatternOp Kind) : PatternNode
    {
        public override bool CanBeEmpty => true;
    }
}
