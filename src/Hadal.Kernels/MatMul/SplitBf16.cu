// x = high + middle + low, each bf16: a float32 operand for matmuls that take bf16. Bytes: x read, three times half of it written.
#include "rows.cuh"

struct SplitParams {
  const float *x; // [rows, width]
  bf16 *high;     // [rows, width] each, one stride
  bf16 *middle;
  bf16 *low;
  int x_stride;
  int y_stride;
  int width;
};

// The first eight bits of the mantissa; what is left in v is exact, and after two of these fits a bf16: 24 bits in all.
DEVICE bf16 take_high(float &v) {
  u32 bits = float_to_bits(v);
  v -= bits_to_float(bits & 0xffff0000u);
  return (bf16)(bits >> 16);
}

KERNEL((256)) split_bf16(const SplitParams p) {
  start_next_if_few();
  int column = bid_y() * block_dim() + tid();
  wait_then_start();
  if (column >= p.width) return;
  float v = p.x[(i64)bid_x() * p.x_stride + column];
  i64 to = (i64)bid_x() * p.y_stride + column;
  // Infinities and NaN have no rest.
  bool finite = (float_to_bits(v) & 0x7f800000u) != 0x7f800000u;
  bf16 whole = to_bf16(v);
  bf16 high = take_high(v), middle = take_high(v);
  p.high[to] = finite ? high : whole;
  p.middle[to] = finite ? middle : 0;
  p.low[to] = finite ? (bf16)(float_to_bits(v) >> 16) : 0;
}
