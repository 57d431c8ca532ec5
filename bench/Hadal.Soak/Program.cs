using System.Diagnostics;
using System.Globalization;
using Hadal.Soak;

// Many streaming clients against a running server, some of them ill-behaved; then what came of it. Exit code 1: something was wrong. eng/soak.sh starts both.
var options = SoakOptions.Parse(args);
var tally = new Tally();
using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
var before = await Sample.TakeAsync(http, options, 0);
Console.WriteLine($"before: {before}");

Habit[] habits =
[
    .. Enumerable.Repeat(Habit.Reading, options.Clients), .. Enumerable.Repeat(Habit.Slow, options.Slow),
    .. Enumerable.Repeat(Habit.Stalled, options.Stalled), .. Enumerable.Repeat(Habit.Vanishing, options.Vanishing),
];
var clients = habits.Select((habit, i) => new Client(options, tally, i, habit)).ToArray();
using var end = new CancellationTokenSource(TimeSpan.FromSeconds(options.Seconds));
var clock = Stopwatch.StartNew();
Task running = Task.WhenAll(clients.Select(client => Task.Run(() => client.RunAsync(end.Token))));
var samples = new List<Sample>();
var period = TimeSpan.FromSeconds(Math.Clamp(options.Seconds / 40.0, 1, 15));
while (!running.IsCompleted)
{
    await Task.WhenAny(running, Task.Delay(period));
    try
    {
        var sample = await Sample.TakeAsync(http, options, clock.Elapsed.TotalSeconds);
        if (!end.IsCancellationRequested)
            samples.Add(sample);
        Console.WriteLine($"{sample} | {tally.Streams} streams, {tally.Errors.Values.Sum()} errors");
    }
    catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
    {
        tally.AddError("metrics: " + e.GetType().Name);
    }
}

await running;
double seconds = clock.Elapsed.TotalSeconds;
Sample after = before;
for (int i = 0; i < 60; i++)
{
    await Task.Delay(500);
    after = await Sample.TakeAsync(http, options, clock.Elapsed.TotalSeconds);
    if (after is { Running: 0, Waiting: 0, Pages: 0 } && after.Handles <= before.Handles + 10)
        break;
}

Console.WriteLine($"after:  {after}");
double[] perClient = [.. clients.Take(options.Clients).Select(c => (double)c.NumTokens)];
double fairness = perClient.Sum() * perClient.Sum() / Math.Max(1, perClient.Length * perClient.Sum(x => x * x)); // Jain's index: 1 is even

// The heap of a quiet moment: the least of some samples, since garbage comes and goes.
int half = samples.Count / 2;
double earlyHeap = samples.Take(half).Select(s => s.HeapMiB).DefaultIfEmpty(0).Min();
double lateHeap = samples.Skip(half).Select(s => s.HeapMiB).DefaultIfEmpty(0).Min();
double earlyResident = samples.Skip(half / 2).Take(half - (half / 2)).Select(s => s.ResidentMiB).DefaultIfEmpty(0).Max();
double lateResident = samples.Skip(half).Select(s => s.ResidentMiB).DefaultIfEmpty(0).Max();
(double p50, double p99) = tally.FirstTokens();
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
    soak: {options.Clients} clients, {options.Slow} slow, {options.Stalled} stalled, {options.Vanishing} vanishing; {seconds:0} s
      streams       {tally.Streams} whole and well-formed, {tally.Tokens / seconds:0} tokens/s; {tally.Cut} stalled ones cut off, {tally.Vanished} clients vanished
      errors        {tally.Errors.Values.Sum()}{string.Concat(tally.Errors.Select(e => $"; {e.Key}: {e.Value}"))}
      first token   p50 {p50:0.00} s, p99 {p99:0.00} s
      fairness      Jain's index of tokens by client {fairness:0.000}; least {perClient.Min():0}, most {perClient.Max():0}
      managed heap  least of the first half {earlyHeap:0.0} MiB, of the second {lateHeap:0.0} MiB
      resident      most of the second quarter {earlyResident:0.0} MiB, of the second half {lateResident:0.0} MiB
      handles       {before.Handles} before, {samples.Select(s => s.Handles).DefaultIfEmpty(0).Max()} at the most, {after.Handles} after
      pages         {samples.Select(s => s.Pages).DefaultIfEmpty(0).Max()} at the most, {after.Pages} after
    """));

string[] wrong =
[
    .. tally.Errors.Count == 0 ? [] : (string[])["errors"],
    .. tally.Streams > 0 ? [] : (string[])["no streams"],
    .. after is { Running: 0, Waiting: 0, Pages: 0 } ? [] : (string[])["requests or pages left over"],
    .. after.Handles <= before.Handles + 10 ? [] : (string[])["handles left over"],
    .. options.Seconds < 120 || lateHeap <= (earlyHeap * 1.5) + 8 ? [] : (string[])["the managed heap grew"],
    .. options.Seconds < 120 || lateResident <= (earlyResident * 1.1) + 32 ? [] : (string[])["resident memory grew"],
    .. options.Seconds < 60 || fairness > 0.9 ? [] : (string[])["unfair"],
    .. options.Seconds < 100 || options.Stalled == 0 || tally.Cut > 0 ? [] : (string[])["nobody was cut off"],
];
Console.WriteLine(wrong.Length == 0 ? "soak: all well" : "soak: " + string.Join(", ", wrong));
return wrong.Length == 0 ? 0 : 1;
