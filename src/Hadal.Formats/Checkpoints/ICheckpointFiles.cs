namespace Hadal.Formats.Checkpoints;

/// <summary>The small files of a checkpoint (tokenizer, templates), wherever they lie.</summary>
public interface ICheckpointFiles
{
    /// <summary>Where a file lies, for messages.</summary>
    string PathOf(string name);

    bool Exists(string name);

    /// <summary>The file's bytes, whole.</summary>
    /// <exception cref="Hadal.Numerics.HadalException">It cannot be read, or is larger than such a file can be.</exception>
    byte[] Read(string name, int maxBytes);
}
