// Weights of any layout to bf16 rows: for kernels of many rows that have no path of their own for it.
#include "hadal.cuh"

struct DequantiseParams {
  const u8 *weights; // Layouts: see skinny.cuh.
  const u8 *scales;
  const u8 *mins;
  bf16 *y; // [rows, y_stride], zeros behind the last column up to a multiple of 8
  i64 row_bytes;
  int rows;
  int columns;
  int scale_stride;
  int y_stride; // multiple of 8
};

enum class Layout { Fp8Row, Fp8Block, Int8Row, Int8Group, Int4Group };

// A thread makes 8 columns.
template <Layout L, int G> DEVICE void dequantise(const DequantiseParams &p) {
  start_next();
  wait_previous();
  const int pieces = (p.columns + 7) / 8;
  const int piece = bid_x() * block_dim() + tid();
  if (piece >= pieces) return;
  const int k = piece * 8;
  for (int n = bid_y(); n < p.rows; n += grid_y()) {
    const u8 *row = p.weights + n * p.row_bytes;
    float v[8], scale, min = 0;
    if constexpr (L == Layout::Int4Group) {
      const u32 w = *(const u32 *)(row + k / 128 * 64 + k % 32 / 8 * 16 + k % 128 / 32 * 4);
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] = (float)((w >> (4 * (i / 2 + i % 2 * 4))) & 15);
    } else {
      uint2v w;
      if constexpr (L != Layout::Int8Group) w = *(const uint2v *)(row + k);
      else if constexpr (G == 32) w = *(const uint2v *)(row + k / 64 * 64 + k % 32 / 8 * 16 + k % 64 / 32 * 8);
      else {
        const u8 *from = row + k / 64 * 64 + k % 16 / 4 * 16 + k % 64 / 32 * 8 + k % 32 / 16 * 4;
        w = {*(const u32 *)from, *(const u32 *)(from + 16)};
      }
#pragma unroll
      for (int i = 0; i < 8; i++) {
        const u32 code = ((i < 4 ? w.x : w.y) >> (8 * (i & 3))) & 0xff;
        if constexpr (L == Layout::Fp8Row || L == Layout::Fp8Block) v[i] = f16_to_float((u16)e4m3x2_to_f16x2((u16)code));
        else v[i] = (float)(i8)code;
      }
    }
    if constexpr (L == Layout::Fp8Row || L == Layout::Int8Row) scale = ((const float *)p.scales)[n];
    else if constexpr (L == Layout::Fp8Block) scale = ((const float *)p.scales)[(i64)(n >> 7) * p.scale_stride + (k >> 7)];
    else {
      constexpr int SLAB = L == Layout::Int4Group ? 256 : 128;
      const i64 i = ((i64)(k / SLAB) * p.scale_stride + n) * (SLAB / G) + k % SLAB / G;
      scale = f16_to_float(((const u16 *)p.scales)[i]);
      if (p.mins) min = f16_to_float(((const u16 *)p.mins)[i]);
      else if constexpr (L == Layout::Int4Group) min = -8 * scale;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = k + i < p.columns ? fma_(v[i], scale, min) : 0.f;
    store16(p.y + (i64)n * p.y_stride + k, {pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])});
  }
}

KERNEL((128)) dequantise_fp8_row(const DequantiseParams p) { dequantise<Layout::Fp8Row, 0>(p); }
KERNEL((128)) dequantise_fp8_block(const DequantiseParams p) { dequantise<Layout::Fp8Block, 0>(p); }
KERNEL((128)) dequantise_int8_row(const DequantiseParams p) { dequantise<Layout::Int8Row, 0>(p); }
KERNEL((128)) dequantise_int8_group16(const DequantiseParams p) { dequantise<Layout::Int8Group, 16>(p); }
KERNEL((128)) dequantise_int8_group32(const DequantiseParams p) { dequantise<Layout::Int8Group, 32>(p); }
KERNEL((128)) dequantise_int4_group32(const DequantiseParams p) { dequantise<Layout::Int4Group, 32>(p); }
KERNEL((128)) dequantise_int4_group64(const DequantiseParams p) { dequantise<Layout::Int4Group, 64>(p); }
KERNEL((128)) dequantise_int4_group128(const DequantiseParams p) { dequantise<Layout::Int4Group, 128>(p); }
