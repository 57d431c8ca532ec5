using System.Text;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>Text files as UTF-8, or an error: a replaced character would change what is measured without a word.</summary>
internal static class StrictText
{
    private static readonly UTF8Encoding _utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string Read(string file)
    {
        try
        {
            return _utf8.GetString(File.ReadAllBytes(file));
        }
        catch (DecoderFallbackException e)
        {
            throw new HadalException($"{file}: is not UTF-8: bad byte at offset {e.Index}.", e);
        }
    }
}
