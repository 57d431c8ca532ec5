#include "MatMulLarge.cuh"

// e4m3 with a scale per row of x and of W. The tensor cores' sums keep some 14 bits: every 2 stages (256 columns) they are added to f32 registers.
#if HADAL_SM90
#define PLAIN(BN) \
  MATMUL_LARGE(matmul_large_fp8_##BN##_bf16, E4m3, BN, kBf16, 2, kDense) \
  MATMUL_LARGE(matmul_large_fp8_##BN##_f32, E4m3, BN, kF32, 2, kDense)
#define GATE_UP(BN) MATMUL_LARGE(matmul_large_fp8_##BN##_silu, E4m3, BN, kSilu, 2, kDense)
#define SPLIT(BN) \
  MATMUL_LARGE(matmul_large_fp8_split_##BN##_bf16, E4m3, BN, kBf16, 2, kSplit) \
  MATMUL_LARGE(matmul_large_fp8_split_##BN##_f32, E4m3, BN, kF32, 2, kSplit)
#define EXPERTS(BN) \
  MATMUL_LARGE(matmul_large_fp8_experts_##BN##_bf16, E4m3, BN, kBf16, 2, kExperts) \
  MATMUL_LARGE(matmul_large_fp8_experts_##BN##_f32, E4m3, BN, kF32, 2, kExperts) \
  MATMUL_LARGE(matmul_large_fp8_experts_##BN##_silu, E4m3, BN, kSilu, 2, kExperts)
PLAIN(192)
PLAIN(128)
PLAIN(64)
GATE_UP(192)
GATE_UP(128)
SPLIT(128)
EXPERTS(192)
EXPERTS(128)
// Any number of columns of y: elsewhere they come in eights.
#define ODD(NAME, OUT, WORK) MATMUL_LARGE_ANY(matmul_large_fp8_##NAME, E4m3, 64, OUT, 2, WORK, true)
ODD(0_bf16, kBf16, kDense)
ODD(0_f32, kF32, kDense)
ODD(0_silu, kSilu, kDense)
ODD(experts_0_bf16, kBf16, kExperts)
ODD(experts_0_f32, kF32, kExperts)
ODD(experts_0_silu, kSilu, kExperts)
#endif
