#include "MatMulLarge.cuh"

// int8 with a scale per row of x and of W; sums in s32, exact up to K = 131,072.
#if HADAL_SM90
#define PLAIN(BN) \
  MATMUL_LARGE(matmul_large_s8_##BN##_bf16, S8, BN, kBf16, kNone, kDense) \
  MATMUL_LARGE(matmul_large_s8_##BN##_f32, S8, BN, kF32, kNone, kDense)
#define GATE_UP(BN) MATMUL_LARGE(matmul_large_s8_##BN##_silu, S8, BN, kSilu, kNone, kDense)
#define SPLIT(BN) \
  MATMUL_LARGE(matmul_large_s8_split_##BN##_bf16, S8, BN, kBf16, kNone, kSplit) \
  MATMUL_LARGE(matmul_large_s8_split_##BN##_f32, S8, BN, kF32, kNone, kSplit)
#define EXPERTS(BN) \
  MATMUL_LARGE(matmul_large_s8_experts_##BN##_bf16, S8, BN, kBf16, kNone, kExperts) \
  MATMUL_LARGE(matmul_large_s8_experts_##BN##_f32, S8, BN, kF32, kNone, kExperts) \
  MATMUL_LARGE(matmul_large_s8_experts_##BN##_silu, S8, BN, kSilu, kNone, kExperts)
PLAIN(256)
PLAIN(224)
PLAIN(192)
PLAIN(128)
PLAIN(64)
GATE_UP(256)
GATE_UP(128)
SPLIT(128)
EXPERTS(256)
EXPERTS(128)
#endif
