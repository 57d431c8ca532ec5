using System.Text;
using Hadal.Numerics;

namespace Hadal.Formats.Tokenization;

/// <summary>Checks a merge against the vocabulary and enters it.</summary>
internal static class MergeRule
{
    /// <param name="joined">Working memory, made larger where needed.</param>
    public static void Add(
        TokenTable vocab, MergeTable merges, ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, int rank, ref byte[] joined, string file, string path)
    {
        int length = left.Length + right.Length;
        if (joined.Length < length) joined = new byte[length * 2];
        left.CopyTo(joined);
        right.CopyTo(joined.AsSpan(left.Length));
        int leftId = Id(vocab, left, rank, file, path), rightId = Id(vocab, right, rank, file, path);
        merges.Set(leftId, rightId, rank, Id(vocab, joined.AsSpan(0, length), rank, file, path));
    }

    private static int Id(TokenTable vocab, ReadOnlySpan<byte> token, int rank, string file, string path) =>
        vocab.TryGetId(token, out int id)
            ? id
            : throw new HadalException($"{file}: {path}[{rank}] needs the token '{Encoding.UTF8.GetString(token.Length > 80 ? token[..80] : token)}', which is not in the vocabulary.");
}
