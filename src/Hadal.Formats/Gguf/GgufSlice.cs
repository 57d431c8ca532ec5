namespace Hadal.Formats.Gguf;

/// <summary>A tensor of the checkpoint: a whole tensor of the file or one expert's part of a merged one.</summary>
/// <param name="File">The file (one of several in a split model).</param>
/// <param name="Info">The tensor in it.</param>
/// <param name="Expert">Index along the first dimension, or -1 for the whole.</param>
/// <param name="Part">Of an expert's rows, which of <paramref name="NumParts"/> equal parts (gate and up merged: 0 and 1 of 2).</param>
/// <param name="NumParts">1 for all rows.</param>
internal readonly record struct GgufSlice(GgufFile File, GgufTensorInfo Info, int Expert = -1, int Part = 0, int NumParts = 1);
