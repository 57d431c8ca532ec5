using Hadal.Numerics;

namespace Hadal.Formats.Checkpoints;

/// <summary>The files of a checkpoint's folder, in ordinal order.</summary>
internal static class FolderFiles
{
    public static string[] Matching(string folder, string pattern)
    {
        try
        {
            string[] paths = Directory.GetFiles(folder, pattern);
            Array.Sort(paths, StringComparer.Ordinal);
            return paths;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HadalException($"{folder}: cannot be listed: {e.Message}", e);
        }
    }
}
