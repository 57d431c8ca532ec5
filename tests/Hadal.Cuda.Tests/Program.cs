using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Hadal.Cuda.Tests;

/// <summary>Runs the tests as xunit's own entry point does, unless a test started this process to do something else.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        if (ChildProcess.Wanted is { } what)
        {
            return ChildProcess.Run(what);
        }

        return args.Any(a => a is "--server" or "--internal-msbuild-node")
            ? await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : await ConsoleRunner.Run(args);
    }
}
