using System.Reflection;
using Hadal.Numerics;

namespace Hadal.Formats.Checkpoints;

/// <summary>Files embedded in an assembly, by their logical names.</summary>
public sealed class ResourceCheckpointFiles(Assembly assembly, string description) : ICheckpointFiles
{
    public string PathOf(string name) => $"{description}/{name}";

    public bool Exists(string name) => assembly.GetManifestResourceInfo(name) is not null;

    public byte[] Read(string name, int maxBytes)
    {
        using MappedFile file = MappedFile.OfResource(assembly, name);
        return file.Length <= maxBytes
            ? file.Bytes(0, (int)file.Length).ToArray()
            : throw new HadalException($"{PathOf(name)}: has {file.Length} bytes, more than the {maxBytes} that are plausible for such a file");
    }
}
