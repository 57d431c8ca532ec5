using System.Diagnostics;
using Hadal.Kernels.Cuda;

namespace Hadal.Cuda.Tests;

/// <summary>
/// A process that may break its context: this same program, which with HADAL_CUDA_TESTS_CHILD in its environment does what that says instead of running tests.
/// </summary>
internal static class ChildProcess
{
    private const string Variable = "HADAL_CUDA_TESTS_CHILD";

    /// <summary>What this process was started for; null where it is to run the tests.</summary>
    internal static string? Wanted => Environment.GetEnvironmentVariable(Variable);

    internal static async Task<(int ExitCode, string Output)> RunAsync(string what, bool synchronous, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[Variable] = what;
        start.Environment["HADAL_CUDA_SYNC"] = synchronous ? "1" : "0";
        using Process process = Process.Start(start)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
        Task<string> errors = process.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }

        return (process.ExitCode, await output + await errors);
    }

    /// <summary>In the child: does it, and ends by itself should it hang.</summary>
    internal static int Run(string what)
    {
        using var limit = new Timer(static _ =>
        {
            Console.WriteLine("hung");
            Environment.Exit(3);
        }, null, TimeSpan.FromSeconds(30), Timeout.InfiniteTimeSpan);
        try
        {
            switch (what)
            {
                case "out-of-bounds":
                    OutOfBounds();
                    return 0;
                case "thread":
                    var thread = new Thread(static () => Console.WriteLine("from a thread"));
                    thread.Start();
                    thread.Join();
                    return 0;
                default:
                    Console.WriteLine("unknown: " + what);
                    return 2;
            }
        }
        catch (Exception e)
        {
            Console.WriteLine("unexpected: " + e);
            return 1;
        }
    }

    /// <summary>Prints one line per refusal.</summary>
    private static void OutOfBounds()
    {
        var context = new CudaContext(CudaDriver.Devices()[0]);
        CudaStream stream = context.NewStream();
        CudaEvent mark = context.NewEvent(timing: false);
        DeviceBuffer buffer = context.Allocate(1024);
        CudaModule module = context.Load("driver_tests.sm_80", TestPtx.Read(CudaTarget.Sm80));
        CudaFunction bad = module.Function("out_of_bounds");
        CudaFunction add = module.Function("add_f32");
        var shape = new LaunchShape(3, 1, 1, 32) { What = "a write out of bounds" };
        stream.Record(mark);
        Report("first", () =>
        {
            bad.Launch(stream, shape, new AddArgs { Value = 1 });
            stream.Synchronize();
        });
        Console.WriteLine("broken: " + context.IsBroken);
        Report("launch", () => add.Launch(stream, shape, new AddArgs { In = buffer.Pointer, Out = buffer.Pointer, Count = 4 }));
        Report("synchronize", stream.Synchronize);
        Report("allocate", () => context.Allocate(16));
        Report("memory", () => _ = context.Memory);
        Report("event", mark.Synchronize);
        Report("fill", () => stream.Fill(buffer.Pointer, 0, 16));
        Report("other thread", () =>
        {
            Exception? seen = null;
            var thread = new Thread(() => seen = Record.Exception(() => context.NewStream()));
            thread.Start();
            thread.Join();
            throw seen!;
        });

        // Disposing neither hangs nor throws.
        module.Dispose();
        buffer.Dispose();
        mark.Dispose();
        stream.Dispose();
        context.Dispose();
        Console.WriteLine("disposed");
    }

    private static void Report(string what, Action action)
    {
        try
        {
            action();
            Console.WriteLine($"{what}: went through");
        }
        catch (CudaException e)
        {
            Console.WriteLine($"{what}: {e.Result} sticky={e.IsSticky}: {e.Message}");
        }
    }
}
