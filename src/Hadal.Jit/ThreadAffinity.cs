using System.Runtime.InteropServices;

namespace Hadal.Jit;

/// <summary>The processors that the calling thread may run on, asked of and told to Linux. Elsewhere, and where it refuses: unknown, and nothing happens.</summary>
internal static unsafe partial class ThreadAffinity
{
    // As many processors as Linux can be built for (NR_CPUS); a shorter mask is refused on a machine with more.
    private const int MaskBytes = NumaTopology.MaxProcessors / 8;

    /// <summary>In ascending order; empty where that is not known.</summary>
    public static int[] Get()
    {
        byte* mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        if (!OperatingSystem.IsLinux() || GetAffinity(0, MaskBytes, mask) != 0)
        {
            return [];
        }

        List<int> processors = [];
        for (int i = 0; i < NumaTopology.MaxProcessors; i++)
        {
            if ((mask[i / 8] >> (i % 8) & 1) != 0)
            {
                processors.Add(i);
            }
        }

        return [.. processors];
    }

    /// <returns>False if the thread stays as it was.</returns>
    public static bool Set(ReadOnlySpan<int> processors)
    {
        byte* mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        foreach (int i in processors)
        {
            mask[i / 8] |= (byte)(1 << (i % 8));
        }

        // A mask of longs on a little-endian machine is one of bytes.
        return OperatingSystem.IsLinux() && BitConverter.IsLittleEndian && SetAffinity(0, MaskBytes, mask) == 0;
    }

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int GetAffinity(int thread, nuint maskBytes, byte* mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetAffinity(int thread, nuint maskBytes, byte* mask);
}
