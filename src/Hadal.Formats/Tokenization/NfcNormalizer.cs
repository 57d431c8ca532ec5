using System.Buffers;
using System.Globalization;
using System.Text;
using Hadal.Formats.Tokenization.Patterns;

namespace Hadal.Formats.Tokenization;

/// <summary>Unicode normalisation form C.</summary>
/// <remarks>
/// Our own because the process runs with InvariantGlobalization, under which <see cref="string.Normalize()"/> returns its
/// argument unchanged: text in decomposed form would silently get other ids. Algorithm: UAX #15; Hangul by arithmetic
/// (Unicode 3.12). Thread-safe.
/// </remarks>
internal sealed class NfcNormalizer
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, HangulCount = LeadCount * VowelCount * TrailCount;

    private static readonly Lazy<NfcNormalizer> Shared = new(() => new NfcNormalizer());

    private readonly Dictionary<int, (int First, int Second)> _decompositions = [];
    private readonly Dictionary<(int First, int Second), int> _compositions = [];
    private readonly Dictionary<int, byte> _combiningClasses = [];

    // Code points that may not stand in NFC text as they are: NFC_QC is not Yes, or a combining class is set.
    private readonly CharClass _suspects;

    private NfcNormalizer()
    {
        var suspects = new List<(int, int)> { (VowelBase, VowelBase + VowelCount - 1), (TrailBase + 1, TrailBase + TrailCount - 1) };
        foreach (Range row in NfcData.Composed.AsSpan().Split(';'))
        {
            if (!TryParseMapping(NfcData.Composed.AsSpan(row), out int composed, out int first, out int second)) continue;
            _decompositions.Add(composed, (first, second));
            _compositions.Add((first, second), composed);
            suspects.Add((second, second));
        }

        foreach (Range row in NfcData.DecomposedOnly.AsSpan().Split(';'))
        {
            if (!TryParseMapping(NfcData.DecomposedOnly.AsSpan(row), out int composed, out int first, out int second)) continue;
            _decompositions.Add(composed, (first, second));
            suspects.Add((composed, composed));
        }

        foreach (Range row in NfcData.CombiningClasses.AsSpan().Split(';'))
        {
            ReadOnlySpan<char> text = NfcData.CombiningClasses.AsSpan(row).Trim();
            if (text.IsEmpty) continue;
            int dash = text.IndexOf('-'), equals = text.IndexOf('=');
            int low = ParseHex(text[..dash]), high = ParseHex(text[(dash + 1)..equals]);
            byte value = byte.Parse(text[(equals + 1)..], CultureInfo.InvariantCulture);
            for (int c = low; c <= high; c++) _combiningClasses.Add(c, value);
            suspects.Add((low, high));
        }

        _suspects = new CharClass(Merge(suspects), 0);
    }

    // A first-use singleton of pure Unicode facts; building it costs about a millisecond that only NFC tokenizers pay.
    public static NfcNormalizer Instance => Shared.Value;

    /// <summary>True when nothing in the text could change, so that it need not be copied. False positives only.</summary>
    public bool IsSurelyNormalized(ReadOnlySpan<char> text)
    {
        int suspect = text.IndexOfAnyExceptInRange('\0', '\u02FF');
        while (suspect >= 0 && suspect < text.Length)
        {
            Rune.DecodeFromUtf16(text[suspect..], out Rune rune, out int consumed);
            if (_suspects.Contains(rune.Value)) return false;
            suspect += consumed;
        }

        return true;
    }

    public string Normalize(ReadOnlySpan<char> text)
    {
        if (IsSurelyNormalized(text)) return text.ToString();
        // No canonical decomposition is longer than four code points.
        int[] rented = ArrayPool<int>.Shared.Rent(text.Length * 4);
        try
        {
            int count = 0;
            foreach (Rune rune in text.EnumerateRunes()) Decompose(rune.Value, rented, ref count);
            Span<int> points = rented.AsSpan(0, count);
            SortMarks(points);
            count = Compose(points);
            var result = new StringBuilder(text.Length);
            Span<char> pair = stackalloc char[2];
            foreach (int point in points[..count]) result.Append(pair[..new Rune(point).EncodeToUtf16(pair)]);
            return result.ToString();
        }
        finally
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    private void Decompose(int point, int[] output, ref int count)
    {
        int hangul = point - HangulBase;
        if ((uint)hangul < HangulCount)
        {
            output[count++] = LeadBase + (hangul / (VowelCount * TrailCount));
            output[count++] = VowelBase + (hangul % (VowelCount * TrailCount) / TrailCount);
            if (hangul % TrailCount != 0) output[count++] = TrailBase + (hangul % TrailCount);
        }
        else if (point >= 0xC0 && _decompositions.TryGetValue(point, out (int First, int Second) parts))
        {
            Decompose(parts.First, output, ref count);
            if (parts.Second != 0) Decompose(parts.Second, output, ref count);
        }
        else
        {
            output[count++] = point;
        }
    }

    private int CombiningClass(int point) => point >= 0x300 && _combiningClasses.TryGetValue(point, out byte value) ? value : 0;

    // Stable sort of each run of marks by class. A hostile text is one long run, so insertion sort will not do.
    private void SortMarks(Span<int> points)
    {
        for (int i = 0; i < points.Length; i++)
        {
            if (CombiningClass(points[i]) == 0) continue;
            int end = i + 1;
            while (end < points.Length && CombiningClass(points[end]) != 0) end++;
            Span<int> run = points[i..end];
            if (run.Length > 1)
            {
                ulong[] keys = ArrayPool<ulong>.Shared.Rent(run.Length);
                for (int k = 0; k < run.Length; k++) keys[k] = ((ulong)CombiningClass(run[k]) << 32) | (uint)k;
                keys.AsSpan(0, run.Length).Sort(run);
                ArrayPool<ulong>.Shared.Return(keys);
            }

            i = end;
        }
    }

    private int Compose(Span<int> points)
    {
        int written = 0, starter = -1, lastClass = -1;
        for (int i = 0; i < points.Length; i++)
        {
            int point = points[i], combiningClass = CombiningClass(point);
            // Blocked when a mark of the same or a higher class, or another starter, stands between.
            bool blocked = starter < 0 || (lastClass >= combiningClass && lastClass != -1);
            if (!blocked && TryCompose(points[starter], point, out int composed))
            {
                points[starter] = composed;
                continue;
            }

            if (combiningClass == 0)
            {
                starter = written;
                lastClass = -1;
            }
            else
            {
                lastClass = combiningClass;
            }

            points[written++] = point;
        }

        return written;
    }

    private bool TryCompose(int first, int second, out int composed)
    {
        int lead = first - LeadBase, vowel = second - VowelBase;
        if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
        {
            composed = HangulBase + (((lead * VowelCount) + vowel) * TrailCount);
            return true;
        }

        int hangul = first - HangulBase, trail = second - TrailBase;
        if ((uint)hangul < HangulCount && hangul % TrailCount == 0 && trail > 0 && trail < TrailCount)
        {
            composed = first + trail;
            return true;
        }

        return _compositions.TryGetValue((first, second), out composed);
    }

    private static bool TryParseMapping(ReadOnlySpan<char> row, out int composed, out int first, out int second)
    {
        composed = first = second = 0;
        row = row.Trim();
        if (row.IsEmpty) return false;
        int equals = row.IndexOf('='), plus = row.IndexOf('+');
        composed = ParseHex(row[..equals]);
        first = ParseHex(plus < 0 ? row[(equals + 1)..] : row[(equals + 1)..plus]);
        second = plus < 0 ? 0 : ParseHex(row[(plus + 1)..]);
        return true;
    }

    private static int ParseHex(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static (int, int)[] Merge(List<(int Low, int High)> ranges)
    {
        ranges.Sort();
        var merged = new List<(int Low, int High)>();
        foreach ((int low, int high) in ranges)
        {
            if (merged.Count > 0 && low <= merged[^1].High + 1) merged[^1] = (merged[^1].Low, Math.Max(merged[^1].High, high));
            else merged.Add((low, high));
        }

        return [.. merged];
    }
}
