using System.Runtime.InteropServices;

namespace Hadal.Cli.Output;

/// <summary>The machine in one line, for results.</summary>
internal static class MachineName
{
    public static string Describe()
    {
        string cpu = OperatingSystem.IsLinux()
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[^1].Trim() ?? "unknown processor"
            : RuntimeInformation.ProcessArchitecture.ToString();
        return $"{cpu}, {Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription}";
    }
}
