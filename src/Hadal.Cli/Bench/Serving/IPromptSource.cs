namespace Hadal.Cli.Bench.Serving;

/// <summary>What is asked. Thread-safe, and the same prompt for the same index whenever it is asked for.</summary>
internal interface IPromptSource
{
    BenchPrompt Get(long index);
}
