// What the attention kernels share: tiles of shared memory that ldmatrix reads without conflicts, slots of a paged context, e4m3 to bf16.
#pragma once
#include "hadal.cuh"

extern __shared__ __attribute__((aligned(1024))) u8 smem[];

#define NEGATIVE_INFINITY (-__builtin_inff())

// The same number, of which the compiler knows nothing: what is computed from it inside a loop stays there and takes no registers between.
DEVICE int opaque(int v) {
  asm volatile("" : "+r"(v));
  return v;
}

// Lanes where the predicate holds, as bits.
DEVICE u32 ballot(bool p) { return __nvvm_vote_ballot_sync(0xffffffffu, p); }
DEVICE int warp_sum(int v) {
  for (int m = 16; m > 0; m >>= 1) v += (int)shfl_xor((u32)v, m);
  return v;
}
// Sum over this lane and those before it.
DEVICE int warp_prefix(int v) {
  for (int d = 1; d < 32; d <<= 1) {
    int other = shfl(v, (lane_id() - d) & 31);
    if (lane_id() >= d) v += other;
  }
  return v;
}

// What another block wrote during this launch: past L1.
DEVICE float4v load16_fresh(const float *p) {
  float4v r;
  asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(r.x), "=f"(r.y), "=f"(r.z), "=f"(r.w) : "l"(p) : "memory");
  return r;
}
DEVICE float2v load8_fresh(const float *p) {
  float2v r;
  asm volatile("ld.global.cg.v2.f32 {%0,%1}, [%2];" : "=f"(r.x), "=f"(r.y) : "l"(p) : "memory");
  return r;
}

// Byte offset of 16-byte chunk `chunk` of row `row` in a tile of CHUNKS chunks a row, a multiple of 8: eight rows of one chunk lie in
// eight different groups of four banks.
template <int CHUNKS> DEVICE u32 tile_offset(int row, int chunk) {
  static_assert(CHUNKS % 8 == 0, "rows of tiles are multiples of 128 bytes");
  return (u32)(row * CHUNKS + (chunk ^ (row & 7))) * 16;
}

// Four e4m3 to four bf16, exactly: the exponent field moves into the wider one, the value comes out 2^-120 of its size (a subnormal
// stays one), and one multiplication mends it. NaN becomes ±480.
DEVICE u32 scale_bf16x2_2_120(u32 v) {
  u32 r;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v), "r"(0x7b807b80u), "r"(0x80008000u));
  return r;
}
DEVICE uint2v e4m3x4_to_bf16x4(u32 v) {
  u32 low = ((v & 0x000000ffu) << 8) | ((v & 0x0000ff00u) << 16);
  u32 high = ((v & 0x00ff0000u) >> 8) | (v & 0xff000000u);
  low = (low & 0x80008000u) | ((low & 0x7f007f00u) >> 4);
  high = (high & 0x80008000u) | ((high & 0x7f007f00u) >> 4);
  return {scale_bf16x2_2_120(low), scale_bf16x2_2_120(high)};
}

// Bytes 0 and 2, and bytes 1 and 3.
DEVICE u16 even_bytes(u32 v) {
  u32 r;
  asm("prmt.b32 %0, %1, 0, 0x4420;" : "=r"(r) : "r"(v));
  return (u16)r;
}
DEVICE u16 odd_bytes(u32 v) {
  u32 r;
  asm("prmt.b32 %0, %1, 0, 0x4431;" : "=r"(r) : "r"(v));
  return (u16)r;
}

// Byte offset of a chunk in a tile of e4m3 rows of CHUNKS chunks (4, or a multiple of 8): eight rows of one chunk lie in different groups
// of banks, and so do four chunks of two rows.
template <int CHUNKS> DEVICE u32 raw_offset(int row, int chunk) {
  static_assert(CHUNKS == 4 || CHUNKS % 8 == 0, "rows of 64 bytes, or multiples of 128");
  const int turn = ((row >> 1) & 3) | (CHUNKS == 4 ? 0 : (row & 1) << 2);
  return (u32)(row * CHUNKS + (chunk ^ turn)) * 16;
}

// How a context is cut: `count` parts of `length` tiles of 64 keys. Depends on the sequence's own context only.
struct Parts {
  int tiles, length, count;
};
DEVICE Parts parts_of(int context, int min_tiles, int max_parts, int whole_tiles, int keys = 64) {
  const int tiles = ceil_div(context, keys);
  const int length = tiles <= whole_tiles ? max_(tiles, 1) : max_(max_(min_tiles, 1), ceil_div(tiles, max_parts));
  return {tiles, length, max_(1, ceil_div(tiles, length))};
}

// The slot of a sequence's key. Pages are powers of two nearly always: a shift then stands for the division.
DEVICE int slot_of(const Step &step, const int *table, int key) {
  const int size = step.block_size;
  if ((size & (size - 1)) == 0) {
    const int shift = 31 - __builtin_clz(size);
    return (table[key >> shift] << shift) + (key & (size - 1));
  }
  const int block = key / size;
  return table[block] * size + (key - block * size);
}
