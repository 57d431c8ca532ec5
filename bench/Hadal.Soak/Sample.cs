using System.Globalization;

namespace Hadal.Soak;

/// <summary>The server at one moment.</summary>
internal sealed record Sample(double Second, double HeapMiB, double ResidentMiB, int Handles, int Running, int Waiting, int Pages)
{
    public static async Task<Sample> TakeAsync(HttpClient http, SoakOptions options, double second)
    {
        string metrics = await http.GetStringAsync(new Uri(options.Url, "/metrics"));
        double resident = 0;
        int handles = 0;
        if (options.Pid > 0)
        {
            string line = File.ReadLines($"/proc/{options.Pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            resident = double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
            handles = Directory.EnumerateFileSystemEntries($"/proc/{options.Pid}/fd").Count();
        }

        return new Sample(second, Value(metrics, "hadal_managed_heap_bytes") / (1 << 20), resident, handles, (int)Value(metrics, "hadal_requests_running"), (int)Value(metrics, "hadal_requests_waiting"), (int)Value(metrics, "hadal_kv_pages_used"));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Second,6:0} s | heap {HeapMiB,7:0.0} MiB | resident {ResidentMiB,7:0.0} MiB | {Handles,5} handles | {Running,4} running | {Waiting,4} waiting | {Pages,6} pages");

    private static double Value(string metrics, string name)
    {
        string? line = metrics.Split('\n').FirstOrDefault(l => l.StartsWith(name + "{", StringComparison.Ordinal) || l.StartsWith(name + " ", StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[(line.IndexOf('}', StringComparison.Ordinal) is var at && at >= 0 ? at + 2 : name.Length + 1)..].Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
