using System.CommandLine;
using System.Globalization;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Demo;

namespace Hadal.Cli.Canary;

/// <summary><c>--canary</c>: the check of a model before it is served.</summary>
internal sealed class StartUpCanary
{
    private const string Off = "off";

    private readonly ModelOptions _model;
    private readonly Option<string?> _option = new("--canary")
    {
        Description = "Fingerprint that the model must agree with before it is served (hadal canary --write makes one); off for no check at all. Without it, the bundled model is compared with its own, and of others only NaN and infinity are looked for",
        HelpName = "FILE",
    };

    public StartUpCanary(Command command, ModelOptions model)
    {
        _model = model;
        command.Options.Add(_option);
    }

    /// <summary>A fingerprint is named, which is one model's.</summary>
    public bool HasFile(ParseResult parsed) => parsed.GetValue(_option) is { } file && file != Off;

    /// <summary>Runs it; throws where the model must not be served.</summary>
    public void Check(ModelSession session, ParseResult parsed, CancellationToken cancellationToken)
    {
        string? file = parsed.GetValue(_option);
        if (file != Off)
        {
            Check(session, Dtype(_model, parsed), file, cancellationToken);
        }
    }

    /// <param name="session">The model; nobody else steps it yet.</param>
    /// <param name="dtype">As <see cref="Dtype"/> gives it.</param>
    /// <param name="file">The fingerprint; null for the bundled model's own, or none.</param>
    /// <returns>The fingerprint of the model as it runs.</returns>
    public static Fingerprint Check(ModelSession session, string dtype, string? file, CancellationToken cancellationToken)
    {
        Fingerprint? expected = file is not null ? FingerprintFile.Read(file) : session.Name == DemoModel.Name ? FingerprintFile.ReadDemo() : null;
        (Fingerprint found, Dictionary<(int, int), float> logits) = CanaryRun.Take(session, dtype, expected, cancellationToken);
        if (expected is not null)
        {
            float worst = CanaryCheck.Compare(expected, found, (position, id) => logits[(position, id)], file ?? "of the bundled model");
            Terminal.Note(string.Create(CultureInfo.InvariantCulture, $"canary: agrees with its fingerprint within {worst:0.####}"));
        }

        return found;
    }

    public static string Dtype(ModelOptions model, ParseResult parsed)
        => CanaryTolerance.Describe(model.Dtype(parsed), model.WeightDtype(parsed), model.KvDType(parsed).ToString());
}
