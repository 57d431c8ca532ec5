namespace Hadal.Kernels.MatMul;

/// <summary>What one tile reads: four weight rows and up to six token rows over the columns [First, End).</summary>
internal unsafe struct TileOperands
{
    /// <summary>Row starts (column 0). A group of fewer than four rows repeats its last one.</summary>
    public byte* W0, W1, W2, W3;

    /// <summary>The scale-block row of each weight row.</summary>
    public float* S0, S1, S2, S3;

    public int ScaleBlockColumns;

    /// <summary>Room for 16 floats a row, for loaders that have factors.</summary>
    public float* Factors;

    public float* X0, X1, X2, X3, X4, X5;

    /// <summary>Columns; End - First is a whole number of vectors.</summary>
    public int First, End;

    /// <summary>Four decoded vectors and <see cref="TailX"/> one per token, zero-padded, for the columns past End; null where there are none.</summary>
    public float* TailW, TailX;
}
