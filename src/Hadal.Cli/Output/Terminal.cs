namespace Hadal.Cli.Output;

/// <summary>What is for people goes to standard error; standard output is for results.</summary>
internal static class Terminal
{
    public static void Error(string message) => Console.Error.WriteLine($"error: {message}");

    public static void Note(string message) => Console.Error.WriteLine(message);

    public static string Bytes(long bytes) => bytes switch
    {
        >= 1L << 30 => $"{bytes / (double)(1L << 30):0.00} GiB",
        >= 1L << 20 => $"{bytes / (double)(1L << 20):0.0} MiB",
        >= 1L << 10 => $"{bytes / (double)(1L << 10):0.0} KiB",
        _ => $"{bytes} B",
    };
}
