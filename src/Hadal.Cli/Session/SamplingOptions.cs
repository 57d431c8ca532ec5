using System.CommandLine;
using Hadal.Engine;
using Hadal.Formats.Config;

namespace Hadal.Cli.Session;

/// <summary>The options of sampling; what is not given comes from the model's generation_config.json.</summary>
internal sealed class SamplingOptions
{
    private readonly Option<float?> _temperature = new("--temperature") { Description = "0 for the most likely token always; by default the model's own", HelpName = "T" };
    private readonly Option<float?> _topP = new("--top-p") { Description = "Keep the most likely tokens that together reach this probability", HelpName = "P" };
    private readonly Option<int?> _topK = new("--top-k") { Description = "Keep the k most likely tokens; 0 for all", HelpName = "K" };
    private readonly Option<float> _minP = new("--min-p") { Description = "Drop tokens less likely than this share of the most likely one", HelpName = "P" };
    private readonly Option<float> _repetition = new("--repetition-penalty") { Description = "Above 1: tokens seen before become less likely", DefaultValueFactory = _ => 1, HelpName = "R" };
    private readonly Option<ulong?> _seed = new("--seed") { Description = "Same seed, same answer", HelpName = "N" };
    private readonly Option<int?> _maxTokens = new("--max-tokens") { Description = "Longest answer; by default what the context holds", HelpName = "N" };
    private readonly Option<string[]> _stop = new("--stop") { Description = "End the answer before this text; may be given more than once", HelpName = "TEXT" };

    public SamplingOptions(Command command)
    {
        _maxTokens.InRange(1);
        foreach (Option option in new Option[] { _temperature, _topP, _topK, _minP, _repetition, _seed, _maxTokens, _stop })
        {
            command.Options.Add(option);
        }
    }

    public SamplingParams Params(ParseResult parsed, ModelConfig config) => new()
    {
        Temperature = parsed.GetValue(_temperature) ?? config.DefaultTemperature ?? 1,
        TopP = parsed.GetValue(_topP) ?? config.DefaultTopP ?? 1,
        TopK = parsed.GetValue(_topK) ?? config.DefaultTopK ?? 0,
        MinP = parsed.GetValue(_minP),
        RepetitionPenalty = parsed.GetValue(_repetition),
        Seed = parsed.GetValue(_seed),
        MaxTokens = parsed.GetValue(_maxTokens),
        Stop = parsed.GetValue(_stop) ?? [],
        // Markers such as </think> are special tokens in some vocabularies and belong to what a person reads.
        SkipSpecialTokens = false,
    };
}
