using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Packed;

/// <summary>Rounds the tokens of tiles, a share of all runs of all tokens each. Integers: scale = max |x| / 127 over a run, ties to even.</summary>
/// <remarks>AVX2 as it stands: whoever has the instructions of the emitted kernels has that.</remarks>
internal unsafe struct TileWork(ActivationTiles tiles, MatrixF32 x, int* rows) : IWork
{
    /// <summary>Values that are rounded at a time.</summary>
    private const int Unit = 16;

    // Columns done at a time: a run of integers; of bf16, some.
    private const int RunK = 256;

    public readonly void Run(int worker, int numWorkers)
    {
        int columns = tiles.Columns;
        int padded = PackedFormat.Padded(columns);
        int runs = (padded + RunK - 1) / RunK;
        long all = (long)tiles.NumTokens * runs;
        long first = all * worker / numWorkers;
        long end = all * (worker + 1) / numWorkers;
        if (first == end)
        {
            return;
        }

        int index = (int)(first / runs);
        int tile = tiles.TileOf(index);
        float* padding = stackalloc float[RunK];
        for (long i = first; i < end; index++)
        {
            int run = (int)(i - ((long)index * runs));
            int lastRun = (int)Math.Min(runs, run + (end - i));
            i += lastRun - run;
            while (index >= tiles.TileStart(tile + 1))
            {
                tile++;
            }

            float* row = x.Row(rows == null ? index : rows[index]);
            for (; run < lastRun; run++)
            {
                int k = run * RunK;
                int count = Math.Min(RunK, padded - k);
                float* values = row + k;
                if (k + count > columns)
                {
                    new Span<float>(padding, count).Clear();
                    new ReadOnlySpan<float>(values, Math.Max(0, columns - k)).CopyTo(new Span<float>(padding, count));
                    values = padding;
                }

                int token = index - tiles.TileStart(tile);
                int tokens = tiles.TokensOf(tile);
                uint* target = (uint*)tiles.Tile(tile) + token + ((nint)k * tiles.Format.ActivationBytes / 4 * tokens);
                if (tiles.Format.IsInteger)
                {
                    Integers(values, count, target, tokens, tile, run, token);
                }
                else
                {
                    BFloats(values, count, target, tokens);
                }
            }
        }
    }

    private readonly void Integers(float* values, int count, uint* target, int stride, int tile, int run, int token)
    {
        // As integers, magnitudes are ordered like the floats they are, and a NaN is above infinity: it is not lost.
        Vector256<int> magnitude = Vector256.Create(0x7FFFFFFF);
        Vector256<int> max = Vector256<int>.Zero;
        for (int i = 0; i < count; i += Unit)
        {
            Vector256<int> a = Avx2.And(Avx.LoadVector256((int*)(values + i)), magnitude);
            Vector256<int> b = Avx2.And(Avx.LoadVector256((int*)(values + i + 8)), magnitude);
            max = Avx2.Max(max, Avx2.Max(a, b));
        }

        Vector128<int> m = Sse41.Max(max.GetLower(), max.GetUpper());
        m = Sse41.Max(m, Sse2.Shuffle(m, 0x4E));
        m = Sse41.Max(m, Sse2.Shuffle(m, 0xB1));
        float largest = BitConverter.Int32BitsToSingle(m.ToScalar());
        // NaN and infinity must not vanish in the rounding: as the scale they reach every sum of the token.
        Vector256<float> factor = Vector256.Create(largest > 0 && float.IsFinite(largest) ? 127 / largest : 0);
        tiles.Scales(tile)[(run * stride) + token] = largest / 127;
        int groupK = tiles.Format.GroupK;
        int group = run * (RunK / groupK);
        for (int first = 0; first < count; first += groupK, group++)
        {
            Vector128<short> sums = Vector128<short>.Zero;
            for (int i = first; i < Math.Min(count, first + groupK); i += Unit)
            {
                Vector256<int> a = Avx.ConvertToVector256Int32(Avx.Multiply(Avx.LoadVector256(values + i), factor));
                Vector256<int> b = Avx.ConvertToVector256Int32(Avx.Multiply(Avx.LoadVector256(values + i + 8), factor));
                Vector256<short> pairs = Avx2.Permute4x64(Avx2.PackSignedSaturate(a, b).AsInt64(), 0xD8).AsInt16();
                Store(Sse2.PackSignedSaturate(pairs.GetLower(), pairs.GetUpper()).AsUInt32(), target + (i / 4 * stride), stride);
                // At most 2 · 16 · 127 in each: no overflow.
                sums = Sse2.Add(sums, Sse2.Add(pairs.GetLower(), pairs.GetUpper()));
            }

            Vector128<int> four = Sse2.MultiplyAddAdjacent(sums, Vector128.Create((short)1));
            four = Sse2.Add(four, Sse2.Shuffle(four, 0x4E));
            four = Sse2.Add(four, Sse2.Shuffle(four, 0xB1));
            int sum = four.ToScalar();
            tiles.Corrections(tile)[(group * stride) + token] = -tiles.Format.ZeroPoint * sum;
            tiles.GroupSums(tile)[(group * stride) + token] = sum;
        }
    }

    private static void BFloats(float* values, int count, uint* target, int stride)
    {
        for (int i = 0; i < count; i += 8)
        {
            Store(Bf16Pairs.Round(values + i), target + (i / 2 * stride), stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<uint> four, uint* target, int stride)
    {
        if (stride == 1)
        {
            Sse2.Store(target, four);
            return;
        }

        target[0] = four.ToScalar();
        target[stride] = Sse41.Extract(four, 1);
        target[2 * stride] = Sse41.Extract(four, 2);
        target[3 * stride] = Sse41.Extract(four, 3);
    }
}
