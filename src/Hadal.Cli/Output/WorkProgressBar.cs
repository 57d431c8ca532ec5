using System.Diagnostics;

namespace Hadal.Cli.Output;

/// <summary>A line on standard error with how many are done, speed and time left; shown only on a terminal.</summary>
/// <param name="what">What is counted: requests, texts.</param>
/// <param name="total">How many there are; null where that is not known.</param>
internal sealed class WorkProgressBar(string what, long? total) : IDisposable
{
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(200);

    private readonly bool _show = !Console.IsErrorRedirected;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _next = _interval;
    private bool _shown;

    public TimeSpan Elapsed => _clock.Elapsed;

    public void Report(long done)
    {
        TimeSpan now = _clock.Elapsed;
        if (!_show || now < _next)
        {
            return;
        }

        _next = now + _interval;
        _shown = true;
        Console.Error.Write($"\r{Line(what, done, total, now)} \u001b[K");
    }

    /// <summary>The line's text.</summary>
    internal static string Line(string what, long done, long? total, TimeSpan elapsed)
    {
        double rate = elapsed > TimeSpan.Zero ? done / elapsed.TotalSeconds : 0;
        if (total is not { } all)
        {
            return $"{done} {what}  {rate:0.0}/s";
        }

        const int width = 24;
        double share = all == 0 ? 1 : done / (double)all;
        int filled = (int)(share * width);
        TimeSpan left = TimeSpan.FromSeconds(rate > 0 ? Math.Min((all - done) / rate, 8_640_000) : 0);
        string time = rate == 0 ? "" : left.Days > 0 ? $"{left:d\\.hh\\:mm\\:ss} left" : $"{left:hh\\:mm\\:ss} left";
        return $"[{new string('#', filled)}{new string('.', width - filled)}] {share,4:P0}  {done} of {all} {what}  {rate:0.0}/s  {time}";
    }

    public void Dispose()
    {
        if (_shown)
        {
            Console.Error.Write("\r\u001b[K");
            _shown = false;
        }
    }
}
