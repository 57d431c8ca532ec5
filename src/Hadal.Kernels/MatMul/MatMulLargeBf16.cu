#include "MatMulLarge.cuh"

#if HADAL_SM90
#define PLAIN(BN) \
  MATMUL_LARGE(matmul_large_bf16_##BN##_bf16, Bf16, BN, kBf16, kNone, kDense) \
  MATMUL_LARGE(matmul_large_bf16_##BN##_f32, Bf16, BN, kF32, kNone, kDense)
#define GATE_UP(BN) MATMUL_LARGE(matmul_large_bf16_##BN##_silu, Bf16, BN, kSilu, kNone, kDense)
#define SPLIT(BN) \
  MATMUL_LARGE(matmul_large_bf16_split_##BN##_bf16, Bf16, BN, kBf16, kNone, kSplit) \
  MATMUL_LARGE(matmul_large_bf16_split_##BN##_f32, Bf16, BN, kF32, kNone, kSplit)
#define EXPERTS(BN) \
  MATMUL_LARGE(matmul_large_bf16_experts_##BN##_bf16, Bf16, BN, kBf16, kNone, kExperts) \
  MATMUL_LARGE(matmul_large_bf16_experts_##BN##_f32, Bf16, BN, kF32, kNone, kExperts) \
  MATMUL_LARGE(matmul_large_bf16_experts_##BN##_silu, Bf16, BN, kSilu, kNone, kExperts)
PLAIN(256)
PLAIN(224)
PLAIN(192)
PLAIN(128)
PLAIN(64)
GATE_UP(256)
GATE_UP(192)
GATE_UP(128)
SPLIT(256)
SPLIT(128)
EXPERTS(256)
EXPERTS(128)
#endif
