#include "MatMulLarge.cuh"

// e4m3 with a scale per 128 columns of a row of x and per 128 x 128 block of W: every stage (128 columns) is scaled and added to f32 registers.
#if HADAL_SM90
#define PLAIN(BN) \
  MATMUL_LARGE(matmul_large_fp8_block_##BN##_bf16, E4m3, BN, kBf16, kBlocks, kDense) \
  MATMUL_LARGE(matmul_large_fp8_block_##BN##_f32, E4m3, BN, kF32, kBlocks, kDense)
#define GATE_UP(BN) MATMUL_LARGE(matmul_large_fp8_block_##BN##_silu, E4m3, BN, kSilu, kBlocks, kDense)
#define SPLIT(BN) \
  MATMUL_LARGE(matmul_large_fp8_block_split_##BN##_bf16, E4m3, BN, kBf16, kBlocks, kSplit) \
  MATMUL_LARGE(matmul_large_fp8_block_split_##BN##_f32, E4m3, BN, kF32, kBlocks, kSplit)
#define EXPERTS(BN) \
  MATMUL_LARGE(matmul_large_fp8_block_experts_##BN##_bf16, E4m3, BN, kBf16, kBlocks, kExperts) \
  MATMUL_LARGE(matmul_large_fp8_block_experts_##BN##_f32, E4m3, BN, kF32, kBlocks, kExperts) \
  MATMUL_LARGE(matmul_large_fp8_block_experts_##BN##_silu, E4m3, BN, kSilu, kBlocks, kExperts)
PLAIN(192)
PLAIN(128)
PLAIN(64)
GATE_UP(192)
GATE_UP(128)
SPLIT(128)
EXPERTS(192)
EXPERTS(128)
// Any number of columns of y: elsewhere they come in eights.
#define ODD(NAME, OUT, WORK) MATMUL_LARGE_ANY(matmul_large_fp8_block_##NAME, E4m3, 64, OUT, kBlocks, WORK, true)
ODD(0_bf16, kBf16, kDense)
ODD(0_f32, kF32, kDense)
ODD(0_silu, kSilu, kDense)
ODD(experts_0_bf16, kBf16, kExperts)
ODD(experts_0_f32, kF32, kExperts)
ODD(experts_0_silu, kSilu, kExperts)
#endif
