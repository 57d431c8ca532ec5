using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Optimize.Rewriting;

/// <summary>What the tensors of a checkpoint become in another.</summary>
public interface ITensorRewrite
{
    /// <summary>The tensors that one becomes: itself, others under other names, or none. Told from name, type and shape; reads none of its values.</summary>
    IReadOnlyList<TensorPlan> Plan(StoredTensor tensor);

    /// <summary>Writes every tensor that <see cref="Plan"/> named, each from its first byte to its last.</summary>
    void Rewrite(StoredTensor tensor, TensorSink sink);
}
