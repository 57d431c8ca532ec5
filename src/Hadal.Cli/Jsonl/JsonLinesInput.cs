using Hadal.Numerics;

namespace Hadal.Cli.Jsonl;

/// <summary>Lines of a stream as they lie there, in bytes; the last may lack its newline. A carriage return before a newline is no part of the line.</summary>
/// <param name="stream">Read from where it stands.</param>
/// <param name="maxLineBytes">Above this a line is an error, so that a file without newlines cannot take all memory.</param>
internal sealed class JsonLinesInput(Stream stream, int maxLineBytes = 256 << 20)
{
    public IEnumerable<byte[]> ReadAll()
    {
        byte[] buffer = new byte[64 << 10];
        int from = 0;
        int to = 0;
        long number = 0;
        while (true)
        {
            int newline = buffer.AsSpan(from, to - from).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                number++;
                yield return Line(buffer.AsSpan(from, newline));
                from += newline + 1;
                continue;
            }

            if (to - from > maxLineBytes)
            {
                throw new HadalException($"Line {number + 1} has more than {maxLineBytes} bytes; is this a file of JSON lines?");
            }

            if (from > 0)
            {
                buffer.AsSpan(from, to - from).CopyTo(buffer);
                (from, to) = (0, to - from);
            }

            if (to == buffer.Length)
            {
                Array.Resize(ref buffer, 2 * buffer.Length);
            }

            int n = stream.Read(buffer, to, buffer.Length - to);
            if (n == 0)
            {
                break;
            }

            to += n;
        }

        if (to > from)
        {
            yield return Line(buffer.AsSpan(from, to - from));
        }
    }

    private static byte[] Line(ReadOnlySpan<byte> bytes) => bytes.EndsWith("\r"u8) ? bytes[..^1].ToArray() : bytes.ToArray();
}
