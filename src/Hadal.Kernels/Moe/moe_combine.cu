// y[t] = Σ_k weight[t, k] · row[position of pair (t, k)] + shared[t] + residual[t], k in order.
// Bytes a token: top_k · D rows (2 or 4 each) + 4D residual + 4D out. The order of the sum is the slots': batch and schedule do not show.
#include "rows.cuh"

struct Params {
  const void *rows;      // [pairs, D], in order of expert
  const int *positions;  // [T, top_k]: the row of a pair, below 0 for none
  const float *weights;  // [T, top_k]
  const void *shared;    // [T, D] or null
  const float *residual; // [T, D] or null; may be y
  float *y;              // [T, D]
  const float *norm_weight; // [D], these two for moe_combine_norm alone: normed = rms_norm(y) · weight
  bf16 *normed;             // [T, D]
  int rows_stride;
  int shared_stride;
  int residual_stride;
  int y_stride;
  int normed_stride;
  int width;
  int top_k;
  int rows_is_bf16; // these two for moe_combine_ragged alone
  int shared_is_bf16;
  float eps;
};

// A thread takes eight columns of one token; the width is a multiple of 8. Eight rows are under way at a time.
template <class Row, class Shared> DEVICE void combine(const Params &p, int column, float (&sum)[8]) {
  int t = bid_x();
  const int *positions = p.positions + t * p.top_k;
  const float *weights = p.weights + t * p.top_k;
  const Row *rows = (const Row *)p.rows + column;
  float other[8] = {}, residual[8] = {};
  if (p.shared) load8((const Shared *)p.shared + (i64)t * p.shared_stride + column, other);
  if (p.residual) load8(p.residual + (i64)t * p.residual_stride + column, residual);
#pragma unroll
  for (int i = 0; i < 8; i++) sum[i] = 0.f;
  constexpr int Rows = sizeof(Row) == 2 ? 8 : 4;
#pragma unroll 1
  for (int k = 0; k < p.top_k; k += Rows) {
    uint4v v[8];
    float w[Rows];
    int at[Rows];
#pragma unroll
    for (int j = 0; j < Rows; j++) at[j] = k + j < p.top_k ? positions[k + j] : -1;
#pragma unroll
    for (int j = 0; j < Rows; j++) w[j] = k + j < p.top_k ? weights[k + j] : 0.f;
#pragma unroll
    for (int j = 0; j < Rows; j++) {
      const Row *row = rows + (i64)at[j] * p.rows_stride;
      if constexpr (sizeof(Row) == 2) {
        v[j] = at[j] >= 0 ? load16(row) : uint4v{0, 0, 0, 0};
      } else {
        v[2 * j] = at[j] >= 0 ? load16(row) : uint4v{0, 0, 0, 0};
        v[2 * j + 1] = at[j] >= 0 ? load16(row + 4) : uint4v{0, 0, 0, 0};
      }
    }
#pragma unroll
    for (int j = 0; j < Rows; j++) {
      if (at[j] < 0) w[j] = 0.f; // a padded token's weight may be NaN
      if constexpr (sizeof(Row) == 2) {
        u32 x[4] = {v[j].x, v[j].y, v[j].z, v[j].w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
          sum[2 * i] = fma_(w[j], low_bf16(x[i]), sum[2 * i]);
          sum[2 * i + 1] = fma_(w[j], high_bf16(x[i]), sum[2 * i + 1]);
        }
      } else {
        u32 x[8] = {v[2 * j].x, v[2 * j].y, v[2 * j].z, v[2 * j].w, v[2 * j + 1].x, v[2 * j + 1].y, v[2 * j + 1].z, v[2 * j + 1].w};
#pragma unroll
        for (int i = 0; i < 8; i++) sum[i] = fma_(w[j], bits_to_float(x[i]), sum[i]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 8; i++) sum[i] = sum[i] + other[i] + residual[i];
}

template <class Row, class Shared> DEVICE void moe_combine(const Params &p) {
  start_next_if_few();
  int column = (bid_y() * block_dim() + tid()) * 8;
  wait_then_start();
  if (column >= p.width) return;
  float sum[8];
  combine<Row, Shared>(p, column, sum);
  store8(p.y + (i64)bid_x() * p.y_stride + column, sum);
}

// And the norm of the next layer, one block a token: at most 8,192 columns.
template <class Row, class Shared> DEVICE void moe_combine_norm(const Params &p) {
  __shared__ float partial[32];
  start_next_if_few();
  int column = tid() * 8;
  bool inside = column < p.width;
  float w[8], sum[8] = {};
  if (inside) load8(p.norm_weight + column, w);
  wait_then_start();
  if (inside) {
    combine<Row, Shared>(p, column, sum);
    store8(p.y + (i64)bid_x() * p.y_stride + column, sum);
  }
  float squares = 0;
#pragma unroll
  for (int i = 0; i < 8; i++) squares = fma_(sum[i], sum[i], squares);
  float inverse = rsqrt_(block_sum(squares, partial) * rcp_((float)p.width) + p.eps);
  if (!inside) return;
#pragma unroll
  for (int i = 0; i < 8; i++) sum[i] = sum[i] * inverse * w[i];
  store8(p.normed + (i64)bid_x() * p.normed_stride + column, sum);
}

KERNEL((128)) moe_combine_f32_f32(const Params p) { moe_combine<float, float>(p); }
KERNEL((128)) moe_combine_f32_bf16(const Params p) { moe_combine<float, bf16>(p); }
KERNEL((128)) moe_combine_bf16_f32(const Params p) { moe_combine<bf16, float>(p); }
KERNEL((128)) moe_combine_bf16_bf16(const Params p) { moe_combine<bf16, bf16>(p); }

KERNEL((1024, 1)) moe_combine_norm_f32_f32(const Params p) { moe_combine_norm<float, float>(p); }
KERNEL((1024, 1)) moe_combine_norm_f32_bf16(const Params p) { moe_combine_norm<float, bf16>(p); }
KERNEL((1024, 1)) moe_combine_norm_bf16_f32(const Params p) { moe_combine_norm<bf16, float>(p); }
KERNEL((1024, 1)) moe_combine_norm_bf16_bf16(const Params p) { moe_combine_norm<bf16, bf16>(p); }

KERNEL((128)) moe_combine_ragged(const Params p) {
  start_next_if_few();
  int t = bid_x(), i = bid_y() * block_dim() + tid();
  wait_then_start();
  if (i >= p.width) return;
  float sum = 0;
#pragma unroll 1
  for (int k = 0; k < p.top_k; k++) {
    int at = p.positions[t * p.top_k + k];
    if (at >= 0) sum = fma_(p.weights[t * p.top_k + k], load_any(p.rows, (i64)at * p.rows_stride + i, p.rows_is_bf16), sum);
  }
  if (p.shared) sum += load_any(p.shared, (i64)t * p.shared_stride + i, p.shared_is_bf16);
  if (p.residual) sum += p.residual[(i64)t * p.residual_stride + i];
  p.y[(i64)t * p.y_stride + i] = sum;
}
