// y = x / sqrt(mean(x²) + eps) · w over rows or over equal runs of a row; with a residual: sum = x + residual, y = norm(sum).
// Bytes a row of D, with residual: 2D or 4D (x) + 4D (residual) + 4D (w, from L2) + 4D (sum) + 2D (y). At one row it is all latency:
// one load, one sum over the block (a barrier), one store; weights are read before the previous kernel has ended.
// Sums go by thread, lane and warp in an order that depends on the widths alone: a row's bits do not depend on the batch.
#include "rows.cuh"

struct Params {
  const void *x;         // [rows, runs · width]
  const float *residual; // [rows, width], or null
  const float *weight;   // [width]
  float *sum;            // [rows, width], may be x or residual; null where nobody wants it
  void *y;               // [rows, runs · width], may be x
  const int *rows;       // which rows of x and residual; null for all in order
  int x_stride;
  int residual_stride;
  int sum_stride;
  int y_stride;
  int width;
  int runs;
  int num_rows;
  float eps;
  int x_is_bf16; // these two for rms_norm_ragged alone
  int y_is_bf16;
};

// One block a row, at most two pieces of eight elements a thread: 16,384 columns, a multiple of 8. The launcher gives ceil(width / 8)
// threads up to 1,024.
template <class X, class Y, bool Add> DEVICE void norm_row(const Params &p) {
  __shared__ float partial[32];
  start_next_if_few();
  int column[2] = {tid() * 8, (tid() + block_dim()) * 8};
  float w[2][8], v[2][8];
#pragma unroll
  for (int c = 0; c < 2; c++) {
    if (column[c] < p.width) load8(p.weight + column[c], w[c]);
  }
  wait_then_start();
  i64 from = p.rows ? p.rows[bid_x()] : bid_x();
  const X *x = (const X *)p.x + from * p.x_stride;
  float squares = 0;
#pragma unroll
  for (int c = 0; c < 2; c++) {
    if (column[c] >= p.width) continue;
    load8(x + column[c], v[c]);
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
      float *sum = p.sum + (i64)bid_x() * p.sum_stride;
#pragma unroll
      for (int c = 0; c < 2; c++) {
        if (column[c] < p.width) store8(sum + column[c], v[c]);
      }
    }
  }
  float inverse = rsqrt_(block_sum(squares, partial) * rcp_((float)p.width) + p.eps);
  Y *y = (Y *)p.y + (i64)bid_x() * p.y_stride;
#pragma unroll
  for (int c = 0; c < 2; c++) {
    if (column[c] >= p.width) continue;
#pragma unroll
    for (int i = 0; i < 8; i++) v[c][i] = v[c][i] * inverse * w[c][i];
    store8(y + column[c], v[c]);
  }
}

// One warp a run of at most 256 columns, a multiple of 8: heads.
template <class X, class Y> DEVICE void norm_run(const Params &p) {
  start_next_if_few();
  int run = bid_x() * (block_dim() >> 5) + warp_id();
  int row = run / p.runs;
  int column = lane_id() * 8;
  bool inside = column < p.width && row < p.num_rows;
  column += (run - row * p.runs) * p.width;
  float v[8] = {}, w[8];
  if (inside) load8(p.weight + lane_id() * 8, w);
  wait_then_start();
  float squares = 0;
  if (inside) {
    i64 from = p.rows ? p.rows[row] : row;
    load8((const X *)p.x + from * p.x_stride + column, v);
#pragma unroll
    for (int i = 0; i < 8; i++) squares = fma_(v[i], v[i], squares);
  }
  float inverse = rsqrt_(warp_sum(squares) * rcp_((float)p.width) + p.eps);
  if (inside) {
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = v[i] * inverse * w[i];
    store8((Y *)p.y + (i64)row * p.y_stride + column, v);
  }
}

KERNEL((1024, 1)) rms_norm_bf16_bf16(const Params p) { norm_row<bf16, bf16, false>(p); }
KERNEL((1024, 1)) rms_norm_bf16_f32(const Params p) { norm_row<bf16, float, false>(p); }
KERNEL((1024, 1)) rms_norm_f32_bf16(const Params p) { norm_row<float, bf16, false>(p); }
KERNEL((1024, 1)) rms_norm_f32_f32(const Params p) { norm_row<float, float, false>(p); }
KERNEL((1024, 1)) add_rms_norm_bf16_bf16(const Params p) { norm_row<bf16, bf16, true>(p); }
KERNEL((1024, 1)) add_rms_norm_bf16_f32(const Params p) { norm_row<bf16, float, true>(p); }
KERNEL((1024, 1)) add_rms_norm_f32_bf16(const Params p) { norm_row<float, bf16, true>(p); }
KERNEL((1024, 1)) add_rms_norm_f32_f32(const Params p) { norm_row<float, float, true>(p); }
KERNEL((128)) rms_norm_runs_bf16_bf16(const Params p) { norm_run<bf16, bf16>(p); }
KERNEL((128)) rms_norm_runs_bf16_f32(const Params p) { norm_run<bf16, float>(p); }
KERNEL((128)) rms_norm_runs_f32_bf16(const Params p) { norm_run<float, bf16>(p); }
KERNEL((128)) rms_norm_runs_f32_f32(const Params p) { norm_run<float, float>(p); }

// Every width and type, element by element: one block a run.
KERNEL((256)) rms_norm_ragged(const Params p) {
  __shared__ float partial[32];
  start_next_if_few();
  wait_then_start();
  int row = bid_x() / p.runs;
  int first = (bid_x() - row * p.runs) * p.width;
  i64 from = p.rows ? p.rows[row] : row;
  i64 x = from * p.x_stride + first, residual = from * p.residual_stride + first;
  i64 sum = (i64)row * p.sum_stride + first, y = (i64)row * p.y_stride + first;
  float squares = 0;
#pragma unroll 1
  for (int i = tid(); i < p.width; i += block_dim()) {
    float v = load_any(p.x, x + i, p.x_is_bf16) + (p.residual ? p.residual[residual + i] : 0.f);
    squares = fma_(v, v, squares);
  }
  float inverse = rsqrt_(block_sum(squares, partial) * rcp_((float)p.width) + p.eps);
  // Each thread reads again what it alone overwrites.
#pragma unroll 1
  for (int i = tid(); i < p.width; i += block_dim()) {
    float v = load_any(p.x, x + i, p.x_is_bf16) + (p.residual ? p.residual[residual + i] : 0.f);
    if (p.residual && p.sum) p.sum[sum + i] = v;
    store_any(p.y, y + i, p.y_is_bf16, v * inverse * p.weight[i]);
  }
}
