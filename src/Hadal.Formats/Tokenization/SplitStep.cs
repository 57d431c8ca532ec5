using Hadal.Formats.Tokenization.Patterns;

namespace Hadal.Formats.Tokenization;

/// <summary>Cuts at the matches of a pattern.</summary>
/// <param name="invert">The matches are what is kept and the gaps are the separators.</param>
internal sealed class SplitStep(RunePattern pattern, SplitBehavior behavior, bool invert) : PreTokenizerStep
{
    public override void Apply(PreTokenizedText text)
    {
        for (int i = 0; i < text.Count; i++)
        {
            ReadOnlySpan<char> piece = text[i];
            text.Patterns.Allow(piece.Length);
            var folder = new Folder(text, text.StartOf(i), behavior);
            int from = 0, previousEnd = 0, lastMatchEnd = -1;
            while (from <= piece.Length && pattern.Find(piece, from, text.Patterns, out int start, out int end))
            {
                if (start == end && end == lastMatchEnd)
                {
                    // An empty match right behind the last one is not accepted: search again one character later.
                    from = end + (end + 1 < piece.Length && char.IsHighSurrogate(piece[end]) ? 2 : 1);
                    continue;
                }

                if (previousEnd != start) folder.Add(previousEnd, start, invert);
                folder.Add(start, end, !invert);
                from = previousEnd = lastMatchEnd = end;
            }

            if (previousEnd != piece.Length) folder.Add(previousEnd, piece.Length, invert);
            folder.Finish();
        }

        text.Commit();
    }

    /// <summary>Joins separators to their neighbours as the behaviour wants it.</summary>
    private ref struct Folder(PreTokenizedText text, int offset, SplitBehavior behavior)
    {
        private int _start;
        private int _end;
        private bool _pending;
        private bool _previousIsSeparator;

        public void Add(int start, int end, bool isSeparator)
        {
            switch (behavior)
            {
                case SplitBehavior.Isolated:
                    text.Emit(offset + start, end - start);
                    return;
                case SplitBehavior.Removed:
                    if (!isSeparator) text.Emit(offset + start, end - start);
                    return;
            }

            bool joins = _pending && behavior switch
            {
                SplitBehavior.Contiguous => isSeparator == _previousIsSeparator,
                SplitBehavior.MergedWithPrevious => isSeparator && !_previousIsSeparator,
                _ => !isSeparator && _previousIsSeparator,
            };
            if (joins)
            {
                _end = end;
            }
            else
            {
                Finish();
                (_start, _end, _pending) = (start, end, true);
            }

            _previousIsSeparator = isSeparator;
        }

        public void Finish()
        {
            if (_pending) text.Emit(offset + _start, _end - _start);
            _pending = false;
        }
    }
}
