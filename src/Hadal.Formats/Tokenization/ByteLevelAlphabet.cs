using System.Text;

namespace Hadal.Formats.Tokenization;

/// <summary>
/// GPT-2's spelling of bytes as printable characters: 33..126, 161..172 and 174..255 stand for themselves, the other 68 bytes
/// become U+0100 onwards in their order (so a space is written Ġ). Source: openai/gpt-2, encoder.py, bytes_to_unicode.
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] CharOfByteTable = BuildChars();
    private static readonly short[] ByteOfCharTable = BuildBytes();

    public static char CharOfByte(byte value) => CharOfByteTable[value];

    /// <summary>
    /// The bytes of a token as it is written in the vocabulary. A token with any character outside the alphabet (special tokens
    /// mostly) stands for its own UTF-8, as in the reference's decoder. Returns the number of bytes written, never more than came in.
    /// </summary>
    public static int Decode(ReadOnlySpan<byte> tokenUtf8, Span<byte> bytes)
    {
        int count = 0;
        ReadOnlySpan<byte> rest = tokenUtf8;
        while (!rest.IsEmpty)
        {
            Rune.DecodeFromUtf8(rest, out Rune rune, out int consumed);
            int value = rune.Value < ByteOfCharTable.Length ? ByteOfCharTable[rune.Value] : -1;
            if (value < 0)
            {
                tokenUtf8.CopyTo(bytes);
                return tokenUtf8.Length;
            }

            bytes[count++] = (byte)value;
            rest = rest[consumed..];
        }

        return count;
    }

    private static char[] BuildChars()
    {
        var chars = new char[256];
        int next = 0x100;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174;
            chars[b] = (char)(printable ? b : next++);
        }

        return chars;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[0x100 + 68];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++) bytes[CharOfByteTable[b]] = (short)b;
        return bytes;
    }
}
