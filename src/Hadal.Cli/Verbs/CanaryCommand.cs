using System.CommandLine;
using Hadal.Cli.Canary;
using Hadal.Cli.Output;
using Hadal.Cli.Session;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal canary</c>: a model's fingerprint, and whether it still has it.</summary>
internal static class CanaryCommand
{
    public static Command Create()
    {
        var command = new Command("canary", """
            Run a fixed prompt through a model and look at its logits: none may be NaN or infinite, and they must agree with a fingerprint within what rounding explains.
            Ends with 1 and says what was expected and found, where they do not. hadal serve --canary FILE makes the same check before it serves.

            Examples:
              hadal canary DeepSeek-R1-Distill-Qwen-7B --write r1-7b.canary.json
              hadal canary DeepSeek-R1-Distill-Qwen-7B --check r1-7b.canary.json --dtype auto --weight-dtype int8
              hadal canary
            """);
        var model = new ModelOptions(command, "f32");
        var write = new Option<string?>("--write") { Description = "File to write the fingerprint to", HelpName = "FILE" };
        var check = new Option<string?>("--check") { Description = "Fingerprint to compare with; by default the bundled model's own", HelpName = "FILE" };
        command.Options.Add(write);
        command.Options.Add(check);
        command.Validators.Add(result =>
        {
            if (result.GetResult(write) is { Implicit: false } && result.GetResult(check) is { Implicit: false })
            {
                result.AddError("--write and --check: give one");
            }
        });
        command.SetAction((parsed, ct) => Task.FromResult(Run(parsed, model, parsed.GetValue(write), parsed.GetValue(check), ct)));
        return command;
    }

    private static int Run(ParseResult parsed, ModelOptions options, string? write, string? check, CancellationToken cancellationToken)
    {
        using ModelSession session = ModelSession.Load(options, parsed, cancellationToken, (_, load) => load with { MaxSequences = 1 });
        string dtype = StartUpCanary.Dtype(options, parsed);
        if (write is null)
        {
            StartUpCanary.Check(session, dtype, check, cancellationToken);
            Terminal.Note($"{session.Name}: all logits are finite ({dtype})");
            return 0;
        }

        (Fingerprint found, _) = CanaryRun.Take(session, dtype, expected: null, cancellationToken);
        FingerprintFile.Write(write, found);
        Terminal.Note($"{write}: fingerprint of {session.Name}, {found.Places.Count} places of {found.Tokens.Count} tokens ({dtype})");
        return 0;
    }
}
