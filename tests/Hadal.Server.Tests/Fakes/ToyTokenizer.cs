using System.Text;
using Hadal.Formats.Tokenization;

namespace Hadal.Server.Tests.Fakes;

/// <summary>One id per byte, and a few special tokens behind them; <c>&lt;think&gt;</c> and its end are special, as in the demo model.</summary>
internal sealed class ToyTokenizer : ITokenizer
{
    public const int Bos = 256;
    public const int Eos = 257;
    public const int User = 258;
    public const int Assistant = 259;
    public const int Think = 260;
    public const int EndThink = 261;

    private static readonly string[] s_special = ["<bos>", "<eos>", "<user>", "<assistant>", "<think>", "</think>"];

    public int VocabSize => 256 + s_special.Length;

    public int? BosTokenId => Bos;

    public int? EosTokenId => Eos;

    public int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        var ids = new List<int>();
        if (addSpecialTokens)
            ids.Add(Bos);
        while (text.Length > 0)
        {
            int special = -1;
            for (int i = 0; i < s_special.Length; i++)
            {
                if (text.StartsWith(s_special[i]))
                    special = i;
            }

            if (special >= 0)
            {
                ids.Add(256 + special);
                text = text[s_special[special].Length..];
                continue;
            }

            int length = char.IsHighSurrogate(text[0]) && text.Length > 1 ? 2 : 1;
            foreach (byte b in Encoding.UTF8.GetBytes(text[..length].ToString()))
                ids.Add(b);
            text = text[length..];
        }

        return [.. ids];
    }

    public int[] EncodePlain(ReadOnlySpan<char> text, bool allowSpecial) =>
        allowSpecial ? Encode(text) : Array.ConvertAll(Encoding.UTF8.GetBytes(text.ToString()), b => (int)b);

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

    public ReadOnlyMemory<byte> TokenBytes(int id) =>
        id < 0 || id >= VocabSize ? default : id < 256 ? new byte[] { (byte)id } : Encoding.UTF8.GetBytes(s_special[id - 256]);

    public bool IsSpecial(int id) => id >= 256;

    public bool TryGetId(string token, out int id)
    {
        int index = Array.IndexOf(s_special, token);
        id = index >= 0 ? 256 + index : -1;
        return index >= 0;
    }
}
