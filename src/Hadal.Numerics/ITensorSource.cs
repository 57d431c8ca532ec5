using System.Diagnostics.CodeAnalysis;

namespace Hadal.Numerics;

/// <summary>Named tensors: a safetensors folder, a GGUF file, or made-up weights. Names are those of the Hugging Face checkpoint.</summary>
public interface ITensorSource : IDisposable
{
    /// <summary>For people: the folder or file, or "synthetic".</summary>
    string Description { get; }

    IReadOnlyCollection<string> Names { get; }

    /// <summary>Says that a tensor's bytes will be read soon: the disk may begin. Returns at once.</summary>
    void Prefetch(StoredTensor tensor)
    {
    }

    /// <summary>Says that a tensor's bytes will not be read again, or not soon: their memory may be given back. A mapped one is read anew if it is touched.</summary>
    void Release(StoredTensor tensor)
    {
    }

    bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor);
}
