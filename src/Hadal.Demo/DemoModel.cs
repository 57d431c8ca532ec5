using System.Reflection;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Safetensors;

namespace Hadal.Demo;

/// <summary>
/// The small DeepSeek-V3-architecture model that comes with Hadal, embedded in this assembly (models/demo; NOTICE names its sources).
/// It tells short stories and does small sums, thinking first.
/// </summary>
public static class DemoModel
{
    /// <summary>What it is called where a model has a name.</summary>
    public const string Name = "hadal-demo";

    private const int MaxFileBytes = 1 << 20;

    private static Assembly Assembly => typeof(DemoModel).Assembly;

    /// <summary>The checkpoint, over the bytes of the program itself.</summary>
    public static Checkpoint Open()
    {
        var files = new ResourceCheckpointFiles(Assembly, Name);
        ModelConfig config = ModelConfigReader.FromJson(files.Read(ModelConfigReader.ConfigName, MaxFileBytes), files.Read(ModelConfigReader.GenerationConfigName, MaxFileBytes));
        IEnumerable<string> shards = Assembly.GetManifestResourceNames()
            .Where(n => n.EndsWith(".safetensors", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
        SafetensorsCheckpoint tensors = SafetensorsCheckpoint.Open(Name, shards.Select(n => SafetensorsFile.Open(MappedFile.OfResource(Assembly, n))));
        return Checkpoint.Of(Name, tensors, config, files);
    }
}
