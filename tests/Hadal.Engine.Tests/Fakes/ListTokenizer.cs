using System.Text;
using Hadal.Formats.Tokenization;

namespace Hadal.Engine.Tests.Fakes;

/// <summary>Token i stands for the i-th bytes; those behind the texts are added tokens. Encodes the longest first.</summary>
internal sealed class ListTokenizer(IReadOnlyList<byte[]> texts, IReadOnlyList<string> added) : ITokenizer
{
    /// <summary>All bytes, then some pieces, then the end, then markers.</summary>
    public static ListTokenizer Bytes(IEnumerable<string> pieces, params string[] markers)
        => new([.. Enumerable.Range(0, 256).Select(b => new[] { (byte)b }), .. pieces.Select(Encoding.UTF8.GetBytes)], ["<end>", .. markers]);

    public int VocabSize => texts.Count + added.Count;

    public int EndId => texts.Count;

    public int? BosTokenId => null;

    public int? EosTokenId => EndId;

    public int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        var ids = new List<int>();
        ReadOnlySpan<byte> left = Encoding.UTF8.GetBytes(text.ToString());
        while (left.Length > 0)
        {
            int best = -1;
            for (int i = 0; i < VocabSize; i++)
            {
                if (left.StartsWith(TokenBytes(i).Span) && (best < 0 || TokenBytes(i).Length > TokenBytes(best).Length))
                    best = i;
            }

            ids.Add(best);
            left = left[TokenBytes(best).Length..];
        }

        return [.. ids];
    }

    public int[] EncodePlain(ReadOnlySpan<char> text, bool allowSpecial) => Encode(text);

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var bytes = new List<byte>();
        foreach (int id in ids)
        {
            if (!(skipSpecialTokens && IsSpecial(id)))
                bytes.AddRange(TokenBytes(id).Span);
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    public ReadOnlyMemory<byte> TokenBytes(int id)
        => (uint)id >= (uint)VocabSize ? default : id < texts.Count ? texts[id] : Encoding.UTF8.GetBytes(added[id - texts.Count]);

    public bool IsSpecial(int id) => id == EndId;

    public bool IsAdded(int id) => id >= texts.Count;

    public bool TryGetId(string token, out int id)
    {
        int index = added.ToList().IndexOf(token);
        id = index < 0 ? -1 : texts.Count + index;
        return index >= 0;
    }
}
