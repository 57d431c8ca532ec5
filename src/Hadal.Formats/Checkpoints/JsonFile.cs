using Hadal.Numerics;

namespace Hadal.Formats.Checkpoints;

/// <summary>Reads small text files of a checkpoint whole, with a limit.</summary>
internal static class JsonFile
{
    /// <returns>The bytes without a byte order mark.</returns>
    public static byte[] ReadAllBytes(string path, int maxBytes)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            if (stream.Length > maxBytes)
            {
                throw new HadalException($"{path}: has {stream.Length} bytes, more than the {maxBytes} that are plausible for such a file");
            }

            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes is [0xEF, 0xBB, 0xBF, ..] ? bytes[3..] : bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new HadalException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
