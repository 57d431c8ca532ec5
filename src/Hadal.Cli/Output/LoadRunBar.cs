using Hadal.Cli.Bench.Serving;

namespace Hadal.Cli.Output;

/// <summary>A line on standard error about a load that runs; shown only on a terminal.</summary>
internal sealed class LoadRunBar : IDisposable
{
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(250);

    private readonly LoadGenerator _load;
    private readonly LoadPlan _plan;
    private readonly Timer? _timer;
    private readonly Lock _lock = new();
    private TimeSpan _lastTime;
    private long _lastTexts;
    private bool _isOver;

    public LoadRunBar(LoadGenerator load, LoadPlan plan)
    {
        _load = load;
        _plan = plan;
        _timer = Console.IsErrorRedirected ? null : new Timer(_ => Show(), null, _interval, _interval);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            if (_timer is not null)
            {
                _timer.Dispose();
                Console.Error.Write("\r\u001b[K");
            }
        }
    }

    private void Show()
    {
        lock (_lock)
        {
            if (_isOver)
            {
                return;
            }

            TimeSpan now = _load.Elapsed;
            long texts = _load.NumTexts;
            double rate = (texts - _lastTexts) / Math.Max((now - _lastTime).TotalSeconds, 1e-3);
            (_lastTime, _lastTexts) = (now, texts);
            double byCount = _plan.NumPrompts is { } all ? _load.NumDone / (double)all : 0, byTime = _plan.Duration is { } most ? now / most : 0;
            double share = Math.Clamp(Math.Max(byCount, byTime), 0, 1);
            const int width = 24;
            int filled = (int)(share * width);
            Console.Error.Write($"\r[{new string('#', filled)}{new string('.', width - filled)}] {share,4:P0}  {now.TotalSeconds:0} s  {_load.NumDone} done, {_load.Running} running, {_load.NumFailed} failed  {rate:0} chunks/s \u001b[K");
        }
    }
}
