using System.Numerics;
using Hadal.Jit;

namespace Hadal.Kernels.Packed;

/// <summary>Rounds the tokens of tiles. Integers: scale = max |x| / 127 over a group, ties to even.</summary>
internal unsafe struct TileWork(ActivationTiles tiles, MatrixF32 x, int* rows) : IWork
{
    private const int MaxGroupK = 256;

    // 1.5 · 2^23: adding it leaves an integer in the low bits of a float, rounded to nearest, ties to even.
    private const float RoundingMagic = 12582912f;

    public readonly void Run(int worker, int numWorkers)
    {
        int first = (int)((long)tiles.NumTiles * worker / numWorkers);
        int end = (int)((long)tiles.NumTiles * (worker + 1) / numWorkers);
        for (int tile = first; tile < end; tile++)
        {
            int tokens = tiles.TokensOf(tile);
            for (int t = 0; t < tokens; t++)
            {
                int index = tiles.TileStart(tile) + t;
                float* row = x.Row(rows == null ? index : rows[index]);
                if (tiles.Format.IsInteger)
                {
                    Integers(row, tile, t, tokens);
                }
                else
                {
                    BFloats(row, tile, t, tokens);
                }
            }
        }
    }

    private readonly void Integers(float* row, int tile, int token, int tokens)
    {
        PackedFormat format = tiles.Format;
        int columns = tiles.Columns;
        int padded = PackedFormat.Padded(columns);
        uint* target = (uint*)tiles.Tile(tile) + token;
        // Whole vectors are rounded at a time, which may be more than a group.
        int span = Math.Max(format.GroupK, 4 * Vector<float>.Count);
        float* padding = stackalloc float[MaxGroupK];
        sbyte* rounded = stackalloc sbyte[MaxGroupK];
        for (int group = 0, k = 0; k < padded; group++, k += format.GroupK)
        {
            int real = Math.Min(format.GroupK, columns - k);
            float* values = row + k;
            if (real < span)
            {
                new Span<float>(padding, span).Clear();
                new ReadOnlySpan<float>(values, Math.Max(real, 0)).CopyTo(new Span<float>(padding, span));
                values = padding;
            }

            float max = AbsMax(values, span);
            // NaN and infinity must not vanish in the rounding: as the scale they reach every sum of the token.
            float scale = max / 127;
            int sum = Round(values, span, max > 0 && float.IsFinite(max) ? 127 / max : 0, rounded);
            int at = (group * tokens) + token;
            tiles.Scales(tile)[at] = scale;
            tiles.Corrections(tile)[at] = -format.ZeroPoint * sum;
            tiles.ScaledSums(tile)[at] = scale * sum;
            int here = Math.Min(format.GroupK, padded - k);
            for (int i = 0; i < here / 4; i++)
            {
                target[((k / 4) + i) * tokens] = ((uint*)rounded)[i];
            }
        }
    }

    private static float AbsMax(float* values, int count)
    {
        Vector<float> max = Vector<float>.Zero;
        for (int i = 0; i < count; i += Vector<float>.Count)
        {
            // Max hands a NaN on.
            max = Vector.Max(max, Vector.Abs(Vector.Load(values + i)));
        }

        float result = 0;
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            result = MathF.Max(result, max[i]);
        }

        return result;
    }

    private static int Round(float* values, int count, float inverse, sbyte* rounded)
    {
        var magic = new Vector<float>(RoundingMagic);
        var factor = new Vector<float>(inverse);
        Vector<int> sum = Vector<int>.Zero;
        int width = Vector<float>.Count;
        for (int i = 0; i < count; i += 4 * width)
        {
            Vector<int> a = One(values + i);
            Vector<int> b = One(values + i + width);
            Vector<int> c = One(values + i + (2 * width));
            Vector<int> d = One(values + i + (3 * width));
            sum += a + b + c + d;
            Vector.Store(Vector.Narrow(Vector.Narrow(a, b), Vector.Narrow(c, d)), rounded + i);
        }

        return Vector.Sum(sum);

        Vector<int> One(float* at) => Vector.AsVectorInt32((Vector.Load(at) * factor) + magic) - Vector.AsVectorInt32(magic);
    }

    private readonly void BFloats(float* row, int tile, int token, int tokens)
    {
        int columns = tiles.Columns;
        int padded = PackedFormat.Padded(columns);
        uint* target = (uint*)tiles.Tile(tile) + token;
        int width = Vector<float>.Count;
        ushort* rounded = stackalloc ushort[2 * width];
        float* padding = stackalloc float[2 * width];
        var half = new Vector<uint>(0x7FFF);
        for (int k = 0; k < padded; k += 2 * width)
        {
            float* values = row + k;
            if (k + (2 * width) > columns)
            {
                new Span<float>(padding, 2 * width).Clear();
                new ReadOnlySpan<float>(values, Math.Max(0, columns - k)).CopyTo(new Span<float>(padding, 2 * width));
                values = padding;
            }

            Vector.Store(Vector.Narrow(One(values), One(values + width)), rounded);
            int here = Math.Min(2 * width, padded - k);
            for (int i = 0; i < here / 2; i++)
            {
                target[((k / 2) + i) * tokens] = ((uint*)rounded)[i];
            }
        }

        Vector<uint> One(float* at)
        {
            Vector<float> v = Vector.Load(at);
            Vector<uint> bits = Vector.AsVectorUInt32(v);
            Vector<uint> nearest = bits + half + (Vector.ShiftRightLogical(bits, 16) & Vector<uint>.One);
            // A NaN whose bits are all ones would round over into zero.
            nearest = Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.Equals(v, v)), nearest, bits | new Vector<uint>(0x400000));
            return Vector.ShiftRightLogical(nearest, 16);
        }
    }
}
