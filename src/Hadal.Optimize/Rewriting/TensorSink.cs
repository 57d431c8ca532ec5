using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Optimize.Rewriting;

/// <summary>Where a rewritten tensor's parts go.</summary>
public sealed class TensorSink
{
    private const int Piece = 1 << 24;

    private readonly SafetensorsStream _stream;

    internal TensorSink(SafetensorsStream stream) => _stream = stream;

    /// <summary>The next bytes of the tensor of that name.</summary>
    public void Append(string name, ReadOnlySpan<byte> bytes) => _stream.Append(name, bytes);

    /// <summary>A tensor's bytes as they are, under a name of its own or another.</summary>
    public void Copy(StoredTensor tensor, string? name = null)
    {
        for (long at = 0; at < tensor.ByteLength; at += Piece)
        {
            _stream.Append(name ?? tensor.Name, tensor.Slice(at, (int)Math.Min(Piece, tensor.ByteLength - at)));
        }
    }
}
