namespace Hadal.Kernels.MatMul;

/// <summary>The kernels of skinny.cuh for one layout of weights, and what their launches have to know of it.</summary>
/// <param name="Module">The .cu file.</param>
/// <param name="Name">As the kernels are named after it.</param>
/// <param name="SlabColumns">Columns in 128 bytes of a row.</param>
/// <param name="ScaleBytes">Scales of one row in one slab; a minimum takes as many.</param>
/// <param name="Stages">Slabs in a warp's ring.</param>
/// <param name="PanelStages">Slabs in a panel's ring.</param>
/// <param name="PanelTokens">Tokens of the widest panel, 32 or 64.</param>
internal sealed record SkinnyFormat(string Module, string Name, int SlabColumns, int ScaleBytes, int Stages, int PanelStages, int PanelTokens)
{
    private static readonly SkinnyFormat _bf16 = new("SkinnyBf16", "bf16", 64, 0, 4, 4, 64);
    private static readonly SkinnyFormat _fp8Row = new("SkinnyFp8", "fp8_row", 128, 0, 3, 3, 64);
    private static readonly SkinnyFormat _fp8Block = new("SkinnyFp8", "fp8_block", 128, 4, 3, 3, 32);
    private static readonly SkinnyFormat _int8Row = new("SkinnyInt8", "int8_row", 128, 0, 3, 3, 64);
    private static readonly SkinnyFormat _int8Group16 = new("SkinnyInt8", "int8_group16", 128, 16, 3, 3, 32);
    private static readonly SkinnyFormat _int8Group32 = new("SkinnyInt8", "int8_group32", 128, 8, 3, 3, 32);
    private static readonly SkinnyFormat _int4Group32 = new("SkinnyInt4", "int4_group32", 256, 16, 3, 3, 32);
    private static readonly SkinnyFormat _int4Group64 = new("SkinnyInt4", "int4_group64", 256, 8, 3, 3, 32);
    private static readonly SkinnyFormat _int4Group128 = new("SkinnyInt4", "int4_group128", 256, 4, 3, 3, 32);

    public string Stream8 { get; } = $"stream_{Name}_8";

    public string Stream16 { get; } = $"stream_{Name}_16";

    public string StreamNorm { get; } = $"stream_norm_{Name}";

    public string GroupedNorm { get; } = $"grouped_norm_{Name}";

    public string Grouped8 { get; } = $"grouped_{Name}_8";

    public string Grouped16 { get; } = $"grouped_{Name}_16";

    public string Panel32 { get; } = $"panel_{Name}_32";

    public string Panel64 { get; } = $"panel_{Name}_64";

    public static SkinnyFormat Of(in DeviceWeight w) => (w.Kind, w.GroupSize) switch
    {
        (DeviceWeightKind.Bf16, _) => _bf16,
        (DeviceWeightKind.Fp8Row, _) => _fp8Row,
        (DeviceWeightKind.Fp8Block, _) => _fp8Block,
        (DeviceWeightKind.Int8Row, _) => _int8Row,
        (DeviceWeightKind.Int8Group, 16) => _int8Group16,
        (DeviceWeightKind.Int8Group, 32) => _int8Group32,
        (DeviceWeightKind.Int4Group, 32) => _int4Group32,
        (DeviceWeightKind.Int4Group, 64) => _int4Group64,
        (DeviceWeightKind.Int4Group, 128) => _int4Group128,
        _ => throw new NotSupportedException($"there is no kernel for {w.Kind} weights in groups of {w.GroupSize}"),
    };

    /// <summary>Bytes of a slab's 32 rows in shared memory, with their scales.</summary>
    public int SlabBytes(bool hasMins) => 4096 + (((32 * ScaleBytes * (hasMins ? 2 : 1)) + 127) / 128 * 128);
}
