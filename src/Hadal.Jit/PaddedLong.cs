using System.Runtime.InteropServices;

namespace Hadal.Jit;

/// <summary>A long alone on two cache lines, as <see cref="PaddedInt"/>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 192)]
internal struct PaddedLong
{
    [FieldOffset(64)]
    public long Value;
}
