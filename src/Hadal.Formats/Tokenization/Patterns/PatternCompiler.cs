using Hadal.Numerics;

namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>Turns a pattern's tree into instructions for <see cref="RunePattern"/>.</summary>
internal sealed class PatternCompiler
{
    // Counted repeats of groups are written out; nested counts multiply.
    private const int MaxInstructions = 20_000;

    private readonly List<PatternInstruction> _code = [];

    public static PatternInstruction[] Compile(PatternNode node)
    {
        var compiler = new PatternCompiler();
        compiler.Emit(node);
        compiler.Add(new(PatternOp.Match));
        return [.. compiler._code];
    }

    private int Add(PatternInstruction instruction)
    {
        if (_code.Count >= MaxInstructions) throw new HadalException($"The pattern needs more than {MaxInstructions} instructions; its counted repeats are too large.");
        _code.Add(instruction);
        return _code.Count - 1;
    }

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Set set:
                Add(new(PatternOp.Set, Class: set.Class));
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items) Emit(item);
                break;
            case PatternNode.Alternation alternation:
                EmitAlternation(alternation.Items);
                break;
            case PatternNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            case PatternNode.LookAhead look:
                EmitBlock(look.Negative ? PatternOp.NegativeLookAhead : PatternOp.LookAhead, look.Item);
                break;
            case PatternNode.Atomic atomic:
                EmitBlock(PatternOp.Atomic, atomic.Item);
                break;
            case PatternNode.Anchor anchor:
                Add(new(anchor.Kind));
                break;
        }
    }

    private void EmitBlock(PatternOp op, PatternNode item)
    {
        int head = Add(new(op));
        Emit(item);
        Add(new(PatternOp.Match));
        _code[head] = new(op, A: _code.Count);
    }

    private void EmitAlternation(PatternNode[] items)
    {
        var exits = new List<int>();
        for (int i = 0; i < items.Length - 1; i++)
        {
            int split = Add(new(PatternOp.Split));
            Emit(items[i]);
            exits.Add(Add(new(PatternOp.Jump)));
            _code[split] = new(PatternOp.Split, A: split + 1, B: _code.Count, CanStart: FirstCharacters.Of(items[i]));
        }

        Emit(items[^1]);
        foreach (int exit in exits) _code[exit] = new(PatternOp.Jump, A: _code.Count);
    }

    private void EmitRepeat(PatternNode.Repeat repeat)
    {
        if (repeat.Item is PatternNode.Set set && repeat.Mode != RepeatMode.Lazy)
        {
            PatternOp op = repeat.Mode == RepeatMode.Greedy ? PatternOp.SetLoop : PatternOp.SetLoopPossessive;
            Add(new(op, repeat.Min, repeat.Max < 0 ? int.MaxValue : repeat.Max, set.Class));
            return;
        }

        if (repeat.Mode == RepeatMode.Possessive)
        {
            EmitBlock(PatternOp.Atomic, repeat with { Mode = RepeatMode.Greedy });
            return;
        }

        for (int i = 0; i < repeat.Min; i++) Emit(repeat.Item);
        bool lazy = repeat.Mode == RepeatMode.Lazy;
        if (repeat.Max < 0)
        {
            int split = Add(new(PatternOp.Split));
            Emit(repeat.Item);
            Add(new(PatternOp.Jump, A: split));
            _code[split] = Choice(lazy, split + 1, _code.Count);
            return;
        }

        var splits = new List<int>();
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add(Add(new(PatternOp.Split)));
            Emit(repeat.Item);
        }

        foreach (int split in splits) _code[split] = Choice(lazy, split + 1, _code.Count);
    }

    private static PatternInstruction Choice(bool lazy, int body, int exit) =>
        lazy ? new(PatternOp.Split, exit, body) : new(PatternOp.Split, body, exit);
}
