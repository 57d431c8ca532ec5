using System.Runtime.CompilerServices;

namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>
/// A regular expression over code points with Oniguruma's meaning: the pattern language of <c>tokenizer.json</c>.
/// </summary>
/// <remarks>
/// .NET's own engine works on UTF-16 units: for it a letter beyond the basic plane is two surrogates and no <c>\p{L}</c>, so
/// mathematical letters, emoji and rare ideographs would be split unlike the reference does (Microsoft.ML.Tokenizers builds on
/// that engine and inherits this). This one is a small backtracking machine; a repeat of a class is one instruction, so text of
/// one long word costs no stack. Work is bounded by <see cref="PatternScratch"/>.
/// Immutable and thread-safe; each caller brings its own scratch.
/// </remarks>
internal sealed class RunePattern
{
    private readonly PatternInstruction[] _code;

    // ASCII characters that no match can begin with, when that is known.
    private readonly bool[]? _canStart;

    public RunePattern(string source)
    {
        Source = source;
        PatternNode tree = PatternParser.Parse(source);
        _code = PatternCompiler.Compile(tree);
        _canStart = FirstCharacters.Of(tree);
    }

    public string Source { get; }

    /// <summary>The first match at or behind <paramref name="from"/>; anchors and look-ahead see only <paramref name="text"/>.</summary>
    public bool Find(ReadOnlySpan<char> text, int from, PatternScratch scratch, out int start, out int end)
    {
        // Well-formed UTF-16 is the caller's promise.
        int pos = from;
        while (pos <= text.Length)
        {
            if (_canStart is not null)
            {
                while (pos < text.Length && text[pos] < 128 && !_canStart[text[pos]]) pos++;
                if (pos >= text.Length) break;
            }

            scratch.Depth = 0;
            end = Run(text, 0, pos, scratch);
            if (end >= 0)
            {
                start = pos;
                return true;
            }

            if (pos >= text.Length) break;
            pos = SkipFailed(text, pos, scratch);
        }

        start = end = -1;
        return false;
    }

    /// <summary>
    /// A pattern that begins with a loop over a class and failed at <paramref name="pos"/> fails at each later start in the same
    /// run too: every end the loop could reach from there it has already tried. Without this, <c>\s+$</c> is quadratic.
    /// </summary>
    private int SkipFailed(ReadOnlySpan<char> text, int pos, PatternScratch scratch)
    {
        int begin = pos;
        pos += CharLength(text, pos);
        ref readonly PatternInstruction first = ref _code[0];
        if (first.Op == PatternOp.SetLoop && first.B == int.MaxValue && first.Class!.Contains(CodePointAt(text, begin)))
        {
            while (pos < text.Length && first.Class.Contains(CodePointAt(text, pos))) pos += CharLength(text, pos);
            scratch.Spend(pos - begin);
        }

        return pos;
    }

    /// <summary>The end of the match of the block at <paramref name="pc"/>, or -1; leaves the stack as deep as it found it.</summary>
    private int Run(ReadOnlySpan<char> text, int pc, int pos, PatternScratch scratch)
    {
        int floorDepth = scratch.Depth;
        int steps = 0;
        while (true)
        {
            if (++steps >= 256)
            {
                scratch.Spend(steps);
                steps = 0;
            }

            ref readonly PatternInstruction instruction = ref _code[pc];
            bool ok;
            switch (instruction.Op)
            {
                case PatternOp.Set:
                    ok = pos < text.Length && instruction.Class!.Contains(CodePointAt(text, pos));
                    if (ok)
                    {
                        pos += CharLength(text, pos);
                        pc++;
                    }

                    break;
                case PatternOp.SetLoop or PatternOp.SetLoopPossessive:
                    ok = RunLoop(text, in instruction, pc, ref pos, scratch);
                    pc++;
                    break;
                case PatternOp.Split:
                    ok = true;
                    // Most alternatives fall at their first character; one look saves trying and coming back.
                    if (instruction.CanStart is not null && (pos >= text.Length || (text[pos] < 128 && !instruction.CanStart[text[pos]])))
                    {
                        pc = instruction.B;
                        break;
                    }

                    scratch.Push(instruction.B, pos, -1);
                    pc = instruction.A;
                    break;
                case PatternOp.Jump:
                    pc = instruction.A;
                    ok = true;
                    break;
                case PatternOp.LookAhead or PatternOp.NegativeLookAhead:
                    ok = (Run(text, pc + 1, pos, scratch) >= 0) == (instruction.Op == PatternOp.LookAhead);
                    pc = instruction.A;
                    break;
                case PatternOp.Atomic:
                    int end = Run(text, pc + 1, pos, scratch);
                    ok = end >= 0;
                    pos = end;
                    pc = instruction.A;
                    break;
                case PatternOp.Match:
                    scratch.Spend(steps);
                    scratch.Depth = floorDepth;
                    return pos;
                default:
                    ok = HoldsAt(instruction.Op, text, pos);
                    pc++;
                    break;
            }

            if (ok) continue;
            if (scratch.Depth == floorDepth)
            {
                scratch.Spend(steps);
                return -1;
            }

            (pc, pos, int floor) = scratch.Pop();
            if (floor >= 0)
            {
                pos -= pos - 2 >= floor && char.IsLowSurrogate(text[pos - 1]) ? 2 : 1;
                if (pos > floor) scratch.Push(pc, pos, floor);
            }
        }
    }

    private static bool RunLoop(ReadOnlySpan<char> text, in PatternInstruction loop, int pc, ref int pos, PatternScratch scratch)
    {
        CharClass set = loop.Class!;
        int begin = pos, floor = pos, count = 0;
        while (pos < text.Length && count < loop.B && set.Contains(CodePointAt(text, pos)))
        {
            pos += CharLength(text, pos);
            if (++count == loop.A) floor = pos;
        }

        if (pos - begin > 16) scratch.Spend(pos - begin);
        if (count < loop.A) return false;
        if (loop.Op == PatternOp.SetLoop && pos > floor) scratch.Push(pc + 1, pos, floor);
        return true;
    }

    // '^' and '$' mean lines: Oniguruma has no other mode for them.
    private static bool HoldsAt(PatternOp anchor, ReadOnlySpan<char> text, int pos) => anchor switch
    {
        PatternOp.LineStart => pos == 0 || (text[pos - 1] == '\n' && pos < text.Length),
        PatternOp.LineEnd => pos == text.Length || text[pos] == '\n',
        PatternOp.TextStart => pos == 0,
        PatternOp.TextEnd => pos == text.Length,
        PatternOp.TextEndOrLastNewline => pos == text.Length || (pos == text.Length - 1 && text[pos] == '\n'),
        PatternOp.WordBoundary => IsWordBefore(text, pos) != IsWordAfter(text, pos),
        _ => IsWordBefore(text, pos) == IsWordAfter(text, pos),
    };

    private static bool IsWordBefore(ReadOnlySpan<char> text, int pos) =>
        pos > 0 && CharClass.Word.Contains(CodePointAt(text, pos > 1 && char.IsLowSurrogate(text[pos - 1]) ? pos - 2 : pos - 1));

    private static bool IsWordAfter(ReadOnlySpan<char> text, int pos) => pos < text.Length && CharClass.Word.Contains(CodePointAt(text, pos));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int CodePointAt(ReadOnlySpan<char> text, int pos)
    {
        int c = text[pos];
        return (c & 0xFC00) == 0xD800 && pos + 1 < text.Length ? ((c - 0xD800) << 10) + (text[pos + 1] - 0xDC00) + 0x10000 : c;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int CharLength(ReadOnlySpan<char> text, int pos) => (text[pos] & 0xFC00) == 0xD800 && pos + 1 < text.Length ? 2 : 1;
}
