using System.CommandLine;
using System.Globalization;
using Hadal.Engine;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>The options of speculation: where drafts come from, how many, and whether the answer must stay the same.</summary>
internal sealed class SpeculationArguments
{
    private const string DraftPrefix = "draft:";
    private const int DefaultTokens = 3;

    private readonly Option<string> _speculate = new("--speculate")
    {
        Description = "Guess tokens ahead and verify several in one step: none, ngram (what followed the last tokens when they stood before), mtp (the model's own layer for it, on the CPU), or draft:PATH (a smaller model of the same vocabulary, on the CPU). Answers stay the same (docs/speculation.md)",
        DefaultValueFactory = _ => "none",
        HelpName = "METHOD",
    };

    private readonly Option<int> _tokens = new("--speculate-tokens")
    {
        Description = "Tokens to guess in a step at the most; fewer, or none, where measured times and acceptance say that they do not pay",
        DefaultValueFactory = _ => DefaultTokens,
        HelpName = "N",
    };

    private readonly Option<bool> _fixed = new("--speculate-fixed") { Description = "Always guess as many as --speculate-tokens, also where it does not pay" };

    private readonly Option<float?> _relaxed = new("--speculate-relaxed")
    {
        Description = "Also take a guess that is at least P times as probable as the most likely token: faster, and answers change. P is above 0 and at most 1; hadal bench --prompts shows what it costs",
        HelpName = "P",
    };

    public SpeculationArguments(Command command)
    {
        _tokens.InRange(1, SpeculationOptions.MaxDraftTokensLimit);
        _speculate.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var method }] && method is not ("none" or "ngram" or "mtp") && !(method.StartsWith(DraftPrefix, StringComparison.Ordinal) && method.Length > DraftPrefix.Length))
            {
                result.AddError($"--speculate {method}: there are none, ngram, mtp and draft:PATH");
            }
        });
        _relaxed.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float share) && !(share > 0 && share <= 1))
            {
                result.AddError($"--speculate-relaxed {text}: allowed is above 0 and at most 1");
            }
        });
        command.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.GetResult(_speculate) is { Implicit: false } && result.GetValue(_speculate) != "none")
            {
                return;
            }

            foreach (Option option in new Option[] { _tokens, _fixed, _relaxed })
            {
                if (result.GetResult(option) is { Implicit: false })
                {
                    result.AddError($"{option.Name} needs --speculate with a method");
                }
            }
        });
        foreach (Option option in new Option[] { _speculate, _tokens, _fixed, _relaxed })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>As given, for people.</summary>
    public string Method(ParseResult parsed) => parsed.GetValue(_speculate)!;

    public bool IsOn(ParseResult parsed) => Method(parsed) != "none";

    /// <summary>What loading the model must know.</summary>
    /// <exception cref="HadalException">The method does not run on the device.</exception>
    public LoadOptions Adjust(ParseResult parsed, LoadOptions load)
    {
        string method = Method(parsed);
        if (load.Cuda is not null && method is not ("none" or "ngram"))
        {
            throw new HadalException($"--speculate {method} runs on the CPU only so far; with --device cuda there is ngram.");
        }

        return method == "mtp" ? load with { Mtp = true } : load;
    }

    /// <summary>What the engine is to do; loads the draft model where one is named.</summary>
    /// <returns>Null options for no speculation; the draft model, to be disposed after the engine.</returns>
    public (SpeculationOptions? Options, DraftModel? Draft) Open(ParseResult parsed, ModelOptions model, ModelSession session, CancellationToken cancellationToken)
    {
        string method = Method(parsed);
        if (method == "none")
        {
            return (null, null);
        }

        DraftModel? draft = method.StartsWith(DraftPrefix, StringComparison.Ordinal)
            ? DraftModel.Load(method[DraftPrefix.Length..], session, model.LoadOptions(parsed), cancellationToken)
            : null;
        return (new SpeculationOptions
        {
            Method = method switch
            {
                "ngram" => SpeculationMethod.Ngram,
                "mtp" => SpeculationMethod.Mtp,
                _ => SpeculationMethod.DraftModel,
            },
            MaxDraftTokens = parsed.GetValue(_tokens),
            Adaptive = !parsed.GetValue(_fixed),
            Relaxed = parsed.GetValue(_relaxed),
            DraftModel = draft?.Runner,
        }, draft);
    }
}
