// MlaHeads.cu's products with float32 activations and weights, in plain loops: for comparing numbers, not for speed. Sums in f32, in one order.
#include "hadal.cuh"

struct Args {
  const float *x;      // absorb: q [T, H·(Dn+R)]; expand: oLatent [T, H·C]
  const float *kv_b;   // [H·(Dn+Dv), C]
  float *y;            // absorb: qLatent [T, H·(C+R)]; expand: o [T, H·Dv]
  int num_tokens;
  int x_stride;
  int y_stride;
  int weight_stride;
  int rank;            // C
  int rope;            // R
  int nope;            // Dn
  int value;           // Dv
};

// A thread a column of one head of one token.
KERNEL((128)) absorb_f32(const Args p) {
  wait_previous();
  start_next();
  const int head = bid_y(), column = bid_z() * 128 + tid();
  if (column >= p.rank + p.rope) return;
  const float *q = p.x + (i64)bid_x() * p.x_stride + head * (p.nope + p.rope);
  float *y = p.y + (i64)bid_x() * p.y_stride + head * (p.rank + p.rope) + column;
  if (column >= p.rank) { // The rotated part moves along.
    *y = q[p.nope + column - p.rank];
    return;
  }
  const float *weights = p.kv_b + (i64)head * (p.nope + p.value) * p.weight_stride + column;
  float sum = 0;
  for (int n = 0; n < p.nope; n++) sum = fma_(q[n], weights[(i64)n * p.weight_stride], sum);
  *y = sum;
}

// A warp a column.
KERNEL((128)) expand_f32(const Args p) {
  wait_previous();
  start_next();
  const int head = bid_y(), n = bid_z() * 4 + warp_id();
  if (n >= p.value) return;
  const float *latent = p.x + (i64)bid_x() * p.x_stride + head * p.rank;
  const float *weights = p.kv_b + ((i64)head * (p.nope + p.value) + p.nope + n) * p.weight_stride;
  float sum = 0;
  for (int i = lane_id(); i < p.rank; i += 32) sum = fma_(latent[i], weights[i], sum);
  sum = warp_sum(sum);
  if (lane_id() == 0) p.y[(i64)bid_x() * p.y_stride + head * p.value + n] = sum;
}
