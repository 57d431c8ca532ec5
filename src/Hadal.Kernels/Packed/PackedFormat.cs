namespace Hadal.Kernels.Packed;

/// <summary>
/// The layout of one kind. Sixteen rows stand side by side in a line of 64 bytes, so that one vector instruction serves sixteen outputs and no sum
/// has to be gathered from within a register. Lines of up to four such panels alternate: a worker reads one stream from front to back.
/// </summary>
/// <param name="Kind">Which.</param>
/// <param name="LineK">Columns that one line holds of each of its 16 rows.</param>
/// <param name="RunK">Columns after which sums are scaled: the activations' scales for integers, the blocks' of e4m3 weights; 0 where nothing is scaled within a row.</param>
/// <param name="GroupK">Columns that share a scale of weights and a sum of activations, a part of a run or all of it.</param>
/// <param name="HasGroupScale">An f16 scale for each row follows the lines of a group.</param>
/// <param name="HasGroupMin">An f16 minimum follows that.</param>
/// <param name="ZeroPoint">What the unsigned stored weights are too large by.</param>
/// <param name="MaxTokens">Tokens a kernel takes at once: as many as accumulators fit into registers for.</param>
/// <param name="BlockK">Columns after which a worker moves on to the next tokens, so that weights stay in the first-level cache.</param>
public readonly record struct PackedFormat(
    PackedKind Kind, int LineK, int RunK, int GroupK, bool HasGroupScale, bool HasGroupMin, int ZeroPoint, int MaxTokens, int BlockK)
{
    public const int LineBytes = 64;
    public const int PanelRows = 16;
    public const int MaxPanels = 4;
    public const int BlockRows = PanelRows * MaxPanels;

    /// <summary>Columns are padded to a multiple of this.</summary>
    public const int PadK = 16;

    public bool IsInteger => Kind is not (PackedKind.Bf16 or PackedKind.Fp8Block);

    /// <summary>Bytes of one activation.</summary>
    public int ActivationBytes => IsInteger ? 1 : 2;

    /// <summary>Bytes of f16 scales and minima of one group of one panel.</summary>
    public int GroupTailBytes => (HasGroupScale ? 32 : 0) + (HasGroupMin ? 32 : 0);

    public static PackedFormat Of(PackedKind kind) => kind switch
    {
        PackedKind.Bf16 => new(kind, LineK: 2, RunK: 0, GroupK: 0, false, false, ZeroPoint: 0, MaxTokens: 6, BlockK: 128),
        PackedKind.Int8 => new(kind, LineK: 4, RunK: 256, GroupK: 256, false, false, ZeroPoint: 128, MaxTokens: 6, BlockK: 512),
        PackedKind.Int8Group32 => new(kind, LineK: 4, RunK: 256, GroupK: 32, true, false, ZeroPoint: 128, MaxTokens: 3, BlockK: 512),
        PackedKind.Int4Group32 => new(kind, LineK: 8, RunK: 256, GroupK: 32, true, false, ZeroPoint: 8, MaxTokens: 3, BlockK: 512),
        PackedKind.Int4Group32Min => new(kind, LineK: 8, RunK: 256, GroupK: 32, true, true, ZeroPoint: 0, MaxTokens: 3, BlockK: 512),
        PackedKind.Int8Group32Min => new(kind, LineK: 4, RunK: 256, GroupK: 32, true, true, ZeroPoint: 0, MaxTokens: 3, BlockK: 512),
        PackedKind.Int8Group16 => new(kind, LineK: 4, RunK: 256, GroupK: 16, true, false, ZeroPoint: 32, MaxTokens: 3, BlockK: 512),
        PackedKind.Fp8Block => new(kind, LineK: 4, RunK: 128, GroupK: 128, false, false, ZeroPoint: 0, MaxTokens: 3, BlockK: 256),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown kind"),
    };

    public static int Padded(int columns) => (columns + PadK - 1) / PadK * PadK;

    /// <summary>Groups of a row; 1 where there are none.</summary>
    public int Groups(int columns) => GroupK == 0 ? 1 : (Padded(columns) + GroupK - 1) / GroupK;

    /// <summary>Runs of a row; 1 where there are none.</summary>
    public int Runs(int columns) => RunK == 0 ? 1 : (Padded(columns) + RunK - 1) / RunK;

    /// <summary>Bytes of one panel of 16 rows.</summary>
    public long PanelBytes(int columns) => ((long)Padded(columns) / LineK * LineBytes) + ((long)Groups(columns) * GroupTailBytes);

    /// <summary>Bytes of one panel from its beginning to the given column, a multiple of the group or of <see cref="BlockK"/>.</summary>
    public long PanelOffset(int column) => ((long)column / LineK * LineBytes) + (GroupTailBytes == 0 ? 0 : (long)column / GroupK * GroupTailBytes);
}
