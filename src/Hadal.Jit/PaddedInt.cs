using System.Runtime.InteropServices;

namespace Hadal.Jit;

/// <summary>An int alone on two cache lines (the adjacent-line prefetcher pairs them), so that workers do not share one falsely.</summary>
[StructLayout(LayoutKind.Explicit, Size = 192)]
internal struct PaddedInt
{
    [FieldOffset(64)]
    public int Value;
}
