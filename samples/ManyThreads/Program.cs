// 32 threads ask at once. The engine makes their answers together, one step for all of them; behind a lock, as libraries with one context for all have it,
// each waits for those before it.
//   dotnet run -c Release --project samples/ManyThreads
using System.Diagnostics;
using Hadal.Demo;
using Hadal.Engine;
using Hadal.Extensions.AI;
using Microsoft.Extensions.AI;

const int NumThreads = 32;
await using HadalModel model = HadalModel.Load(DemoModel.Open(), DemoModel.Name);
using IChatClient client = model.AsChatClient();
var options = new ChatOptions { Temperature = 0, MaxOutputTokens = 64, AdditionalProperties = new() { ["ignore_eos"] = true } };
await client.GetResponseAsync("Warm up.", options);

var gate = new Lock();
Run("behind a lock", i =>
{
    lock (gate)
        Ask(i);
});
Run("all at once", Ask);

void Ask(int i) => client.GetResponseAsync($"What is {i} + 7?", options).GetAwaiter().GetResult();

void Run(string name, Action<int> work)
{
    EngineStats before = model.GetStats();
    var clock = Stopwatch.StartNew();
    Thread[] threads = [.. Enumerable.Range(0, NumThreads).Select(i => new Thread(() => work(i)))];
    foreach (Thread thread in threads)
        thread.Start();
    foreach (Thread thread in threads)
        thread.Join();
    double seconds = clock.Elapsed.TotalSeconds;
    EngineStats after = model.GetStats();
    long tokens = after.GeneratedTokens - before.GeneratedTokens;
    Console.WriteLine($"{name,-14} {tokens} tokens in {after.Steps - before.Steps} steps, {seconds:0.00} s, {tokens / seconds:0} tokens/s");
}
