using System.Text;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>Text as UTF-8, or an error: a replaced character would change what is measured or answered without a word.</summary>
internal static class StrictText
{
    private static readonly UTF8Encoding _utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string Read(string file) => Decode(File.ReadAllBytes(file), file);

    /// <summary>All of standard input.</summary>
    public static async Task<string> ReadStandardInputAsync(CancellationToken cancellationToken)
    {
        await using Stream input = Console.OpenStandardInput();
        using var bytes = new MemoryStream();
        await input.CopyToAsync(bytes, cancellationToken).ConfigureAwait(false);
        return Decode(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), "standard input");
    }

    /// <param name="bytes">The text; a byte order mark at its beginning is no part of it.</param>
    /// <param name="where">What the error names: a file, a line of it, standard input.</param>
    public static string Decode(ReadOnlySpan<byte> bytes, string where)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        try
        {
            return _utf8.GetString(bytes.StartsWith(mark) ? bytes[mark.Length..] : bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new HadalException($"{where}: is not UTF-8: bad byte at offset {ValidLength(bytes)}.", e);
        }
    }

    /// <summary>
    /// Fails where an argument came in bytes that are no UTF-8: .NET hands those over as U+FFFD.
    /// </summary>
    public static void CheckCommandLine(string[] args)
    {
        if (!OperatingSystem.IsLinux() || !args.Any(a => a.Contains('\uFFFD', StringComparison.Ordinal)))
        {
            return;
        }

        byte[] raw = File.ReadAllBytes("/proc/self/cmdline");
        if (!System.Text.Unicode.Utf8.IsValid(raw))
        {
            throw new HadalException("The command line holds bytes that are not UTF-8. Set the terminal to UTF-8, or give the text on standard input.");
        }
    }

    private static int ValidLength(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out int used) == System.Buffers.OperationStatus.Done)
        {
            at += used;
        }

        return at;
    }
}
