namespace Hadal.Cli.Output;

/// <summary>What the operating system says this process holds.</summary>
internal static class ProcessMemory
{
    /// <summary>Makes <see cref="PeakBytes"/> count from now on, where the system allows it.</summary>
    public static void ResetPeak()
    {
        try
        {
            // Linux: proc(5), clear_refs, value 5.
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then the peak is that of the whole process.
        }
    }

    /// <summary>Largest resident size so far, in bytes; files that are mapped count as far as they were read.</summary>
    public static long PeakBytes()
    {
        if (OperatingSystem.IsLinux())
        {
            foreach (string line in File.ReadLines("/proc/self/status"))
            {
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                {
                    return long.Parse(line.AsSpan(6).Trim().TrimEnd(" kB")) * 1024;
                }
            }
        }

        return Environment.WorkingSet;
    }
}
