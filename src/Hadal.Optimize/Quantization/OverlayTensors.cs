using System.Diagnostics.CodeAnalysis;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Optimize.Quantization;

/// <summary>A checkpoint some of whose tensors are replaced by others in memory, under the names that files would have: what a quantised model says can be heard before it is written.</summary>
public sealed class OverlayTensors : ITensorSource
{
    private readonly ITensorSource _inner;
    private readonly Dictionary<string, (StoredTensor Tensor, NativeBuffer Memory)> _tensors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _hidden = new(StringComparer.Ordinal);

    /// <param name="inner">The checkpoint; not disposed with this.</param>
    public OverlayTensors(ITensorSource inner) => _inner = inner;

    public string Description => _inner.Description;

    public IReadOnlyCollection<string> Names => [.. _inner.Names.Where(n => !_hidden.Contains(n) && !_tensors.ContainsKey(n)), .. _tensors.Keys];

    /// <summary>Replaces a tensor and its scales.</summary>
    /// <param name="name">The tensor as the checkpoint has it.</param>
    /// <param name="plans">What takes its place.</param>
    /// <param name="fill">Writes them, by index.</param>
    public void Replace(string name, IReadOnlyList<TensorPlan> plans, Action<MatrixQuantizer.Append> fill)
    {
        _hidden.UnionWith([name, name + "_scale_inv", name + "_scale"]);
        NativeBuffer[] buffers = [.. plans.Select(p => new NativeBuffer((nuint)p.ByteLength))];
        long[] written = new long[plans.Count];
        for (int i = 0; i < plans.Count; i++)
        {
            _tensors.Add(plans[i].Name, (new StoredTensor(plans[i].Name, plans[i].DType, plans[i].Shape, buffers[i], "memory"), buffers[i]));
        }

        fill((tensor, bytes) =>
        {
            bytes.CopyTo(buffers[tensor].Slice((nuint)written[tensor], bytes.Length));
            written[tensor] += bytes.Length;
        });
    }

    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        if (_tensors.TryGetValue(name, out (StoredTensor Tensor, NativeBuffer Memory) replaced))
        {
            tensor = replaced.Tensor;
            return true;
        }

        tensor = null;
        return !_hidden.Contains(name) && _inner.TryGet(name, out tensor);
    }

    public void Prefetch(StoredTensor tensor)
    {
        if (!_tensors.ContainsKey(tensor.Name))
        {
            _inner.Prefetch(tensor);
        }
    }

    public void Release(StoredTensor tensor)
    {
        if (!_tensors.ContainsKey(tensor.Name))
        {
            _inner.Release(tensor);
        }
    }

    public void Dispose()
    {
        foreach ((_, NativeBuffer memory) in _tensors.Values)
        {
            memory.Dispose();
        }

        _tensors.Clear();
    }
}
