namespace Hadal.Graph.Cpu;

/// <summary>A borrowed float32 vector in native memory.</summary>
public readonly unsafe struct ReadOnlyMemoryF32(float* data, int length)
{
    public float* Data { get; } = data;

    public int Length { get; } = length;

    public ReadOnlySpan<float> Span => new(Data, Length);
}
