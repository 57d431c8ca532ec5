namespace Hadal.Formats.Checkpoints;

/// <summary>A tensor as the files of a checkpoint hold it, for listings; also those that cannot be computed with.</summary>
/// <param name="Name">Name in the file (llama.cpp's in GGUF files).</param>
/// <param name="DType">The format's name of the element type.</param>
/// <param name="Shape">Row-major shape.</param>
/// <param name="ByteLength">Bytes it takes.</param>
/// <param name="File">Name of the file, without its folder.</param>
public sealed record CheckpointTensor(string Name, string DType, IReadOnlyList<long> Shape, long ByteLength, string File);
