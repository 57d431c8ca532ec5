using System.Buffers;
using System.Text;

namespace Hadal.Formats.Tokenization;

/// <summary>
/// Turns the ids of one sequence into text as they come, giving out only what later ids cannot change: never half a character.
/// </summary>
/// <remarks>
/// All pieces and <see cref="Flush"/> joined equal <see cref="ITokenizer.Decode"/> of all ids, broken UTF-8 included.
/// One per sequence; not thread-safe.
/// </remarks>
public sealed class StreamDecoder(ITokenizer tokenizer, bool skipSpecialTokens = false)
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private int _decoded;

    /// <summary>All bytes so far, those of an unfinished character too.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    /// <summary>True when the last bytes are the beginning of a character.</summary>
    public bool HasPending => _decoded < _bytes.WrittenCount;

    /// <summary>Takes one id; returns the text that has become certain, often empty.</summary>
    public string Append(int id)
    {
        if (skipSpecialTokens && tokenizer.IsSpecial(id)) return string.Empty;
        ReadOnlySpan<byte> token = tokenizer.TokenBytes(id).Span;
        if (token.IsEmpty) return string.Empty;
        _bytes.Write(token);
        ReadOnlySpan<byte> pending = _bytes.WrittenSpan[_decoded..];
        int certain = pending.Length - UnfinishedLength(pending);
        _decoded += certain;
        return certain == 0 ? string.Empty : Encoding.UTF8.GetString(pending[..certain]);
    }

    /// <summary>The end of the sequence: what is still unfinished is broken, and comes out as U+FFFD.</summary>
    public string Flush()
    {
        ReadOnlySpan<byte> pending = _bytes.WrittenSpan[_decoded..];
        _decoded = _bytes.WrittenCount;
        return pending.IsEmpty ? string.Empty : Encoding.UTF8.GetString(pending);
    }

    /// <summary>How many bytes at the end begin a character that more bytes could complete.</summary>
    private static int UnfinishedLength(ReadOnlySpan<byte> bytes)
    {
        for (int length = 1; length <= 3 && length <= bytes.Length; length++)
        {
            byte b = bytes[^length];
            if ((b & 0xC0) == 0x80) continue;
            // Too short, and valid as far as it goes; an already broken beginning would be replaced in any case.
            return Rune.DecodeFromUtf8(bytes[^length..], out _, out _) == OperationStatus.NeedMoreData ? length : 0;
        }

        return 0;
    }
}
