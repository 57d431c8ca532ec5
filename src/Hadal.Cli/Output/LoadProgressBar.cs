using System.Diagnostics;
using Hadal.Graph.Execution;

namespace Hadal.Cli.Output;

/// <summary>A line on standard error with share, speed and time left; shown only on a terminal, and only when loading takes more than a moment.</summary>
internal sealed class LoadProgressBar : IProgress<LoadProgress>, IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(100);

    private readonly bool _show = !Console.IsErrorRedirected;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _next = _patience;
    private bool _shown;

    public void Report(LoadProgress value)
    {
        TimeSpan now = _clock.Elapsed;
        if (!_show || now < _next)
        {
            return;
        }

        _next = now + _interval;
        _shown = true;
        double share = value.BytesTotal == 0 ? 1 : value.BytesDone / (double)value.BytesTotal;
        double rate = value.BytesDone / now.TotalSeconds;
        double left = rate > 0 ? (value.BytesTotal - value.BytesDone) / rate : 0;
        const int width = 24;
        int filled = (int)(share * width);
        Console.Error.Write($"\rloading [{new string('#', filled)}{new string('.', width - filled)}] {share,4:P0}  {Terminal.Bytes(value.BytesDone)} of {Terminal.Bytes(value.BytesTotal)}  {Terminal.Bytes((long)rate)}/s  {left:0} s left \u001b[K");
    }

    /// <summary>A line for people, above this one.</summary>
    public void Note(string message)
    {
        Dispose();
        Terminal.Note(message);
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
