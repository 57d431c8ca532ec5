#include "hadal.cuh"

// Reads a buffer once and does nothing else: what the memory gives to a kernel that only reads.

struct Params {
  const uint4v *data;
  u32 *sink;
  i64 count; // Of 16 bytes, a multiple of 8 · 256.
};

KERNEL((256)) read_bandwidth(const Params p) {
  u32 sum = 0;
  const i64 step = (i64)grid_x() * 256 * 8;
  for (i64 i = (i64)bid_x() * 256 * 8 + tid(); i < p.count; i += step) {
    uint4v v[8];
#pragma unroll
    for (int k = 0; k < 8; k++) v[k] = load16_stream(p.data + i + k * 256);
#pragma unroll
    for (int k = 0; k < 8; k++) sum += v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
  }

  // Not true of what is read, but the compiler does not know.
  if (sum == 0x5bd1e995u) p.sink[0] = sum;
}
