using System.Diagnostics;
using Hadal.Optimize.Quantization;

namespace Hadal.Cli.Output;

/// <summary>A line on standard error for each stage of long work, with share, speed and time left; shown only on a terminal.</summary>
internal sealed class StageProgressBar : IProgress<QuantizeProgress>, IDisposable
{
    private const int Width = 24;

    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(100);

    private readonly bool _show = !Console.IsErrorRedirected;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _began;
    private TimeSpan _next;
    private string _stage = "";
    private bool _shown;

    public void Report(QuantizeProgress value)
    {
        TimeSpan now = _clock.Elapsed;
        if (value.Stage != _stage)
        {
            _stage = value.Stage;
            _began = now;
            _next = now;
        }

        if (!_show || now < _next)
        {
            return;
        }

        _next = now + _interval;
        _shown = true;
        double share = value.Total == 0 ? 1 : Math.Min(1, value.Done / (double)value.Total);
        // Speed is told from what this run did: shards of an interrupted one cost nothing.
        double rate = (value.Done - value.DoneBefore) / Math.Max(0.001, (now - _began).TotalSeconds);
        string left = rate > 0 ? $"{TimeSpan.FromSeconds((value.Total - value.Done) / rate):h\\:mm\\:ss} left" : "";
        string done = value.Unit == "bytes" ? $"{Terminal.Bytes(value.Done)} of {Terminal.Bytes(value.Total)}  {Terminal.Bytes((long)rate)}/s" : $"{value.Done} of {value.Total} {value.Unit}";
        int filled = (int)(share * Width);
        Console.Error.Write($"\r{value.Stage} [{new string('#', filled)}{new string('.', Width - filled)}] {share,4:P0}  {done}  {left} \u001b[K");
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
