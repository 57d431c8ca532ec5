using Hadal.Formats.Checkpoints;

namespace Hadal.Extensions.AI;

/// <summary>What <c>services.AddHadal</c> registers.</summary>
public sealed class HadalOptions
{
    /// <summary>A Hugging Face folder or a .gguf file. This or <see cref="OpenCheckpoint"/>.</summary>
    public string? ModelPath { get; set; }

    /// <summary>Opens a checkpoint that is no file, such as Hadal.Demo's; needs <see cref="ModelId"/>.</summary>
    public Func<Checkpoint>? OpenCheckpoint { get; set; }

    /// <summary>What clients call the model; null for the folder's or file's name.</summary>
    public string? ModelId { get; set; }

    /// <summary>How it is loaded and run.</summary>
    public HadalModelOptions Model { get; set; } = new();

    /// <summary>Loading begins when the host starts, in the background; else with the first call. Either way calls wait for it.</summary>
    public bool LoadAtStart { get; set; } = true;

    /// <summary>
    /// Chat clients write <c>gen_ai.*</c> activities and metrics, and the engine <c>gen_ai.server.*</c> metrics, both under
    /// <see cref="HadalTelemetry.SourceName"/>. Texts stay out of them.
    /// </summary>
    public bool UseOpenTelemetry { get; set; } = true;

    /// <returns>The model's id.</returns>
    internal static string Validate(HadalOptions configure)
    {
        if (configure.ModelPath is null == configure.OpenCheckpoint is null)
            throw new ArgumentException($"AddHadal: one of {nameof(ModelPath)} and {nameof(OpenCheckpoint)} is needed, and not both.", nameof(configure));
        if (configure.ModelPath is { } path)
            return configure.ModelId ?? Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        return configure.ModelId ?? throw new ArgumentException($"AddHadal: {nameof(OpenCheckpoint)} needs {nameof(ModelId)}: the checkpoint has no name of its own.", nameof(configure));
    }
}
