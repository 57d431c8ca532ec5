using System.CommandLine;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Cli.Verbs;
using Hadal.Numerics;

namespace Hadal.Cli;

/// <summary>
/// Exit codes: 0 done; 1 it failed, and standard error says why; 2 the command line is wrong; 130 ended by Ctrl-C, 143 by SIGTERM.
/// </summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        using var interrupts = new Interrupts();
        var root = new RootCommand("Hadal: run and optimise models of the DeepSeek family.\n\nMODEL is a Hugging Face folder, a .gguf file, or nothing: then the bundled demo model runs.")
        {
            RunCommand.Create(interrupts),
            ServeCommand.Create(interrupts),
            KeysCommand.Create(),
            BenchCommand.Create(interrupts),
            LogitsCommand.Create(),
            EvalCommand.Create(),
            TokenizeCommand.Create(),
            EmbedCommand.Create(),
            BatchCommand.Create(),
            CanaryCommand.Create(),
            ExplainCommand.Create(),
            InspectCommand.Create(),
            QuantizeCommand.Create(),
        };
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (System.CommandLine.Parsing.ParseError error in parsed.Errors)
            {
                Terminal.Error(error.Message);
            }

            await Console.Error.WriteLineAsync($"Try: {NameOf(parsed.CommandResult)} --help").ConfigureAwait(false);
            return 2;
        }

        try
        {
            StrictText.CheckCommandLine(args);
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interrupts.Token).ConfigureAwait(false);
        }
        catch (HadalException e)
        {
            Terminal.Error(e.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            return interrupts.ExitCode;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Terminal.Error(e.Message);
            return 1;
        }
    }
    private static string NameOf(System.CommandLine.Parsing.CommandResult result)
        => result.Parent is System.CommandLine.Parsing.CommandResult parent ? $"{NameOf(parent)} {result.Command.Name}" : "hadal";
}
