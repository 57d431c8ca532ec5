namespace Hadal.Numerics;

public static class DTypeExtensions
{
    extension(DType dtype)
    {
        /// <summary>Elements in one storage unit: 1 for plain types, 32 or 256 for GGUF block types.</summary>
        public int BlockElements => dtype switch
        {
            DType.Q8_0 or DType.Q4_0 or DType.Q4_1 or DType.Q5_0 or DType.Q5_1 => 32,
            DType.Q4_K or DType.Q5_K or DType.Q6_K => 256,
            _ => 1,
        };

        /// <summary>Bytes of one storage unit.</summary>
        public int BlockBytes => dtype switch
        {
            DType.F32 or DType.I32 or DType.U32 => 4,
            DType.F16 or DType.Bf16 or DType.I16 or DType.U16 => 2,
            DType.F8E4M3 or DType.F8E5M2 or DType.I8 or DType.U8 or DType.Bool => 1,
            DType.I64 or DType.U64 or DType.F64 => 8,
            DType.Q8_0 => 34,
            DType.Q4_0 => 18,
            DType.Q4_1 => 20,
            DType.Q5_0 => 22,
            DType.Q5_1 => 24,
            DType.Q4_K => 144,
            DType.Q5_K => 176,
            DType.Q6_K => 210,
            _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "unknown dtype"),
        };

        public bool IsBlock => dtype.BlockElements > 1;

        /// <summary>Bytes of one row of <paramref name="elements"/> elements.</summary>
        /// <exception cref="ArgumentException">The row is not a whole number of blocks.</exception>
        public long RowBytes(long elements)
        {
            int be = dtype.BlockElements;
            if (elements % be != 0)
            {
                throw new ArgumentException($"{elements} elements are not a whole number of {dtype} blocks of {be}", nameof(elements));
            }

            return checked(elements / be * dtype.BlockBytes);
        }
    }
}
