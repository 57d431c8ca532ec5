namespace Hadal.Cli.Output;

/// <summary>What the operating system says this process holds.</summary>
internal static class ProcessMemory
{
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
