namespace Hadal.Kernels.Rope;

/// <summary>cosSin[t, 0..R/2) = m · cos(p_t · f_i), cosSin[t, R/2..R) = m · sin(p_t · f_i)</summary>
/// <remarks>f: [R/2] inverse frequencies, m: YaRN's magnitude. Computed once a step for all layers. Angle in float32 as the reference implementation has it.</remarks>
public static unsafe class RopeTable
{
    // Plain loops: R/2 sines and cosines a token, once a step for all layers.
    public static void Forward(int* positions, ReadOnlySpan<float> inverseFrequencies, float magnitude, MatrixF32 cosSin)
    {
        int half = inverseFrequencies.Length;
        ArgumentOutOfRangeException.ThrowIfNotEqual(cosSin.Columns, 2 * half, nameof(cosSin));
        for (int t = 0; t < cosSin.Rows; t++)
        {
            float* row = cosSin.Row(t);
            for (int i = 0; i < half; i++)
            {
                float angle = positions[t] * inverseFrequencies[i];
                (float sin, float cos) = MathF.SinCos(angle);
                row[i] = cos * magnitude;
                row[half + i] = sin * magnitude;
            }
        }
    }
}
