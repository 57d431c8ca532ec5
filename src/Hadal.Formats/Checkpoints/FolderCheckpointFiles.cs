namespace Hadal.Formats.Checkpoints;

/// <summary>Files of a folder.</summary>
public sealed class FolderCheckpointFiles(string folder) : ICheckpointFiles
{
    public string PathOf(string name) => Path.Combine(folder, name);

    public bool Exists(string name) => File.Exists(PathOf(name));

    public byte[] Read(string name, int maxBytes) => JsonFile.ReadAllBytes(PathOf(name), maxBytes);
}
