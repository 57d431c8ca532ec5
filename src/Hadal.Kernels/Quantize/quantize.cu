// Activations to 8 bits with their scales, alone and after what makes them: a norm, a residual and a norm, silu·mul. Formats: e4m3 with one scale
// a row or one for each 128 columns, int8 with one scale a row. value = q · scale, scale = amax / 448 or / 127.
// Bytes a row of K: 2K read (after silu·mul 4K, after a residual 6K and 4K written), K and the scales written: one pass, the row stays in registers.
// What is quantised is the bf16 value, so that fused and unfused give the same bits. NaN in a row makes its scale NaN.
#include "rows.cuh"

struct Params {
  const void *x;         // [rows, width]
  const bf16 *up;        // silu·mul: x is the gate
  const float *residual; // norms: null for none
  const float *weight;   // norms: [width]
  float *sum;            // x + residual; null where nobody wants it
  bf16 *y;               // what is quantised, as bf16; null where nobody wants it
  u8 *q;                 // [rows, width]
  float *scales;         // [rows] or [rows, ceil(width / 128)], by the two strides
  const int *rows;       // row i comes from row rows[i] / divisor of x; null for i
  const int *num_rows;   // [1]: rows from it on are left alone; null for none
  int x_stride;
  int up_stride;
  int residual_stride;
  int sum_stride;
  int y_stride;
  int q_stride;
  int scale_row_stride;
  int scale_group_stride;
  int width; // a multiple of 8
  int divisor;
  float eps;
};

enum Format { kE4m3Row, kE4m3Group, kInt8Row };

// Magnitudes as integers, whose order is theirs, with NaN above infinity.
DEVICE u32 magnitude(float v) { return float_to_bits(v) & 0x7fffffffu; }
DEVICE u32 max_(u32 a, u32 b) { return a > b ? a : b; }
DEVICE u32 block_max_bits(u32 v, u32 *shared) {
  asm volatile("redux.sync.max.u32 %0, %0, 0xffffffff;" : "+r"(v));
  int warps = block_dim() >> 5;
  if (warps == 1) return v;
  if (lane_id() == 0) shared[warp_id()] = v;
  sync_block();
  v = lane_id() < warps ? shared[lane_id()] : 0;
  asm volatile("redux.sync.max.u32 %0, %0, 0xffffffff;" : "+r"(v));
  return v;
}
DEVICE u32 round_to_byte(float v) {
  int r;
  asm("cvt.rni.s32.f32 %0, %1;" : "=r"(r) : "f"(v));
  return (u32)max_(-127, min_(r, 127)) & 0xffu;
}
template <Format F> DEVICE void store_q(u8 *q, const float (&v)[8], u32 bits) {
  constexpr float most = F == kInt8Row ? 127.f : 448.f;
  float inverse = most / fmax_(bits_to_float(bits), 1e-30f);
  float s[8];
#pragma unroll
  for (int i = 0; i < 8; i++) s[i] = v[i] * inverse;
  if constexpr (F == kInt8Row) {
    *(uint2v *)q = {round_to_byte(s[0]) | round_to_byte(s[1]) << 8 | round_to_byte(s[2]) << 16 | round_to_byte(s[3]) << 24,
                    round_to_byte(s[4]) | round_to_byte(s[5]) << 8 | round_to_byte(s[6]) << 16 | round_to_byte(s[7]) << 24};
  } else {
    store8((e4m3 *)q, s);
  }
}

DEVICE void round_to_bf16(float (&v)[8], u32 &largest) {
#pragma unroll
  for (int i = 0; i < 8; i++) {
    v[i] = to_float(to_bf16(v[i]));
    largest = max_(largest, magnitude(v[i]));
  }
}
// Groups of 128 columns are 16 lanes. All lanes of the warp come here, those past the width with 0.
DEVICE u32 store_group_scale(const Params &p, int row, int column, u32 largest) {
#pragma unroll
  for (int m = 8; m > 0; m >>= 1) largest = max_(largest, shfl_xor(largest, m));
  if ((lane_id() & 15) == 0 && column < p.width) p.scales[(i64)row * p.scale_row_stride + (i64)(column >> 7) * p.scale_group_stride] = bits_to_float(largest) * (1.f / 448.f);
  return largest;
}
template <Format F> DEVICE void store_row_scale(const Params &p, int row, u32 largest) {
  if (tid() == 0) p.scales[(i64)row * p.scale_row_stride] = bits_to_float(largest) * (F == kInt8Row ? 1.f / 127.f : 1.f / 448.f);
}
template <bool SiluMul> DEVICE void load_input(const Params &p, i64 from, int column, float (&v)[8]) {
  load8((const bf16 *)p.x + from * p.x_stride + column, v);
  if constexpr (SiluMul) {
    float up[8];
    load8(p.up + from * p.up_stride + column, up);
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = silu(v[i]) * up[i];
  }
}

// One scale a row: a block has the row, as bf16, in at most four pieces of eight columns a thread.
template <Format F, bool SiluMul> DEVICE void quantize_rows(const Params &p) {
  __shared__ u32 shared[32];
  start_next_if_few();
  int row = bid_x();
  wait_then_start();
  if (p.num_rows && row >= *p.num_rows) return;
  i64 from = p.rows ? p.rows[row] / p.divisor : row;
  uint4v packed[4];
  u32 largest = 0;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    int column = (tid() + c * block_dim()) * 8;
    if (column >= p.width) continue;
    float v[8];
    load_input<SiluMul>(p, from, column, v);
    packed[c] = {pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])};
    u32 x[4] = {packed[c].x, packed[c].y, packed[c].z, packed[c].w};
#pragma unroll
    for (int i = 0; i < 4; i++) largest = max_(largest, max_((x[i] & 0x7fffu) << 16, x[i] & 0x7fff0000u));
  }
  largest = block_max_bits(largest, shared);
  store_row_scale<F>(p, row, largest);
#pragma unroll
  for (int c = 0; c < 4; c++) {
    int column = (tid() + c * block_dim()) * 8;
    if (column >= p.width) continue;
    if (p.y) store16(p.y + (i64)row * p.y_stride + column, packed[c]);
    u32 x[4] = {packed[c].x, packed[c].y, packed[c].z, packed[c].w};
    float v[8];
#pragma unroll
    for (int i = 0; i < 4; i++) v[2 * i] = low_bf16(x[i]), v[2 * i + 1] = high_bf16(x[i]);
    store_q<F>(p.q + (i64)row * p.q_stride + column, v, largest);
  }
}

// One scale for each 128 columns: a block has 2,048 columns of a row.
template <bool SiluMul> DEVICE void quantize_groups(const Params &p) {
  start_next_if_few();
  int row = bid_x();
  int column = (bid_y() * block_dim() + tid()) * 8;
  wait_then_start();
  if (p.num_rows && row >= *p.num_rows) return;
  i64 from = p.rows ? p.rows[row] / p.divisor : row;
  float v[8] = {};
  if (column < p.width) load_input<SiluMul>(p, from, column, v);
  u32 largest = 0;
  round_to_bf16(v, largest);
  largest = store_group_scale(p, row, column, largest);
  if (column >= p.width) return;
  if (p.y) store8(p.y + (i64)row * p.y_stride + column, v);
  store_q<kE4m3Group>(p.q + (i64)row * p.q_stride + column, v, largest);
}

// The same sums in the same order as rms_norm's.
template <Format F, class X, bool Add> DEVICE void norm_quantize(const Params &p) {
  __shared__ float partial[32];
  __shared__ u32 shared[32];
  start_next_if_few();
  int row = bid_x();
  int column[2] = {tid() * 8, (tid() + block_dim()) * 8};
  float w[2][8] = {}, v[2][8] = {};
#pragma unroll
  for (int c = 0; c < 2; c++) {
    if (column[c] < p.width) load8(p.weight + column[c], w[c]);
  }
  wait_then_start();
  i64 from = p.rows ? p.rows[row] / p.divisor : row;
  float squares = 0;
#pragma unroll
  for (int c = 0; c < 2; c++) {
    if (column[c] >= p.width) continue;
    load8((const X *)p.x + from * p.x_stride + column[c], v[c]);
    if constexpr (Add) {
      float r[8];
      load8(p.residual + from * p.residual_stride + column[c], r);
#pragma unroll
      for (int i = 0; i < 8; i++) v[c][i] += r[i];
    }
#pragma unroll
    for (int i = 0; i < 8; i++) squares = fma_(v[c][i], v[c][i], squares);
  }
  if constexpr (Add) {
    if (p.sum) {
#pragma unroll
      for (int c = 0; c < 2; c++) {
        if (column[c] < p.width) store8(p.sum + (i64)row * p.sum_stride + column[c], v[c]);
      }
    }
  }
  float inverse = rsqrt_(block_sum(squares, partial) * rcp_((float)p.width) + p.eps);
#pragma unroll
  for (int c = 0; c < 2; c++) {
#pragma unroll
    for (int i = 0; i < 8; i++) v[c][i] = v[c][i] * inverse * w[c][i];
  }
  u32 largest[2] = {};
#pragma unroll
  for (int c = 0; c < 2; c++) round_to_bf16(v[c], largest[c]);
  if constexpr (F == kE4m3Group) {
#pragma unroll
    for (int c = 0; c < 2; c++) largest[c] = store_group_scale(p, row, column[c], largest[c]);
  } else {
    largest[0] = largest[1] = block_max_bits(max_(largest[0], largest[1]), shared);
    store_row_scale<F>(p, row, largest[0]);
  }
#pragma unroll
  for (int c = 0; c < 2; c++) {
    if (column[c] >= p.width) continue;
    if (p.y) store8(p.y + (i64)row * p.y_stride + column[c], v[c]);
    store_q<F>(p.q + (i64)row * p.q_stride + column[c], v[c], largest[c]);
  }
}

KERNEL((1024, 1)) quantize_e4m3_row(const Params p) { quantize_rows<kE4m3Row, false>(p); }
KERNEL((256)) quantize_e4m3_group(const Params p) { quantize_groups<false>(p); }
KERNEL((1024, 1)) quantize_i8_row(const Params p) { quantize_rows<kInt8Row, false>(p); }
KERNEL((1024, 1)) silu_mul_quantize_e4m3_row(const Params p) { quantize_rows<kE4m3Row, true>(p); }
KERNEL((256)) silu_mul_quantize_e4m3_group(const Params p) { quantize_groups<true>(p); }
KERNEL((1024, 1)) silu_mul_quantize_i8_row(const Params p) { quantize_rows<kInt8Row, true>(p); }
KERNEL((1024, 1)) rms_norm_bf16_quantize_e4m3_row(const Params p) { norm_quantize<kE4m3Row, bf16, false>(p); }
KERNEL((1024, 1)) rms_norm_bf16_quantize_e4m3_group(const Params p) { norm_quantize<kE4m3Group, bf16, false>(p); }
KERNEL((1024, 1)) rms_norm_bf16_quantize_i8_row(const Params p) { norm_quantize<kInt8Row, bf16, false>(p); }
KERNEL((1024, 1)) rms_norm_f32_quantize_e4m3_row(const Params p) { norm_quantize<kE4m3Row, float, false>(p); }
KERNEL((1024, 1)) rms_norm_f32_quantize_e4m3_group(const Params p) { norm_quantize<kE4m3Group, float, false>(p); }
KERNEL((1024, 1)) rms_norm_f32_quantize_i8_row(const Params p) { norm_quantize<kInt8Row, float, false>(p); }
KERNEL((1024, 1)) add_rms_norm_bf16_quantize_e4m3_row(const Params p) { norm_quantize<kE4m3Row, bf16, true>(p); }
KERNEL((1024, 1)) add_rms_norm_bf16_quantize_e4m3_group(const Params p) { norm_quantize<kE4m3Group, bf16, true>(p); }
KERNEL((1024, 1)) add_rms_norm_bf16_quantize_i8_row(const Params p) { norm_quantize<kInt8Row, bf16, true>(p); }
KERNEL((1024, 1)) add_rms_norm_f32_quantize_e4m3_row(const Params p) { norm_quantize<kE4m3Row, float, true>(p); }
KERNEL((1024, 1)) add_rms_norm_f32_quantize_e4m3_group(const Params p) { norm_quantize<kE4m3Group, float, true>(p); }
KERNEL((1024, 1)) add_rms_norm_f32_quantize_i8_row(const Params p) { norm_quantize<kInt8Row, float, true>(p); }
