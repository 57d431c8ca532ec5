using System.Diagnostics.CodeAnalysis;

namespace Hadal.Numerics;

/// <summary>Named tensors: a safetensors folder, a GGUF file, or made-up weights. Names are those of the Hugging Face checkpoint.</summary>
public interface ITensorSource : IDisposable
{
    /// <summary>For people: the folder or file, or "synthetic".</summary>
    string Description { get; }

    IReadOnlyCollection<string> Names { get; }

    bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor);
}
