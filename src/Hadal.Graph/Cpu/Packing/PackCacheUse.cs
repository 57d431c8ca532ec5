namespace Hadal.Graph.Cpu.Packing;

/// <summary>What a load had of the pack cache.</summary>
/// <param name="NumRead">Packed weights read from it.</param>
/// <param name="NumPacked">Packed weights that were not in it, or not whole, and were packed.</param>
/// <param name="NumWritten">Those of them that were written to it.</param>
public readonly record struct PackCacheUse(int NumRead, int NumPacked, int NumWritten);
