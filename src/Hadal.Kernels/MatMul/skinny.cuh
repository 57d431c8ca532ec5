// y[M, N] = x[M, K] · Wᵀ for few tokens: weights stream once through shared memory, at the memory's speed.
//
// Weights are the A operand of mma.m16n8k16 (16 rows of W), tokens the B operand (8 at a time), so up to 8 tokens cost one instruction per
// 16×16 weights. Which columns meet in one instruction is free as long as A and B agree: a thread takes 16 contiguous bytes of its row of W and
// the activations of the same columns, and no weight is ever transposed or shuffled.
//
// A slab is 128 bytes of each of 32 rows: 64 columns of bf16, 128 of 8-bit or 256 of 4-bit weights. In shared memory the 16-byte pieces of odd
// rows are permuted (piece ^ 5), so that neither the copies in nor the fragments out meet in one bank.
//
// Two shapes of work:
//  stream_rows (M ≤ 16 per token tile): a block owns up to 32 rows (16 + 16 for gate and up), its warps share out the slabs of K, each with a ring
//    of its own that nobody else waits for; sums meet in shared memory, warps in order. A result depends on K and the number of warps alone:
//    the same row gives the same bits in every batch.
//  panel (M ≤ 64): a block of 4 warps owns 128 rows (64 + 64) and a range of K; activations are shared by the block; ranges meet in global memory,
//    in order, by the block that comes last.
#pragma once
#include "hadal.cuh"

#define METHOD __device__ __forceinline__

constexpr int MT = 2;             // tiles of 16 rows in a warp's slab
constexpr int SLAB_BYTES = 4096;  // 32 rows of 128 bytes
constexpr int PANEL_WARPS = 4;
constexpr int PANEL_ROWS = 32 * PANEL_WARPS;
constexpr int PANEL_PITCH = PANEL_ROWS + 4;
constexpr int SUM_PITCH = 36;

struct SkinnyParams {
  const u8 *weights;          // [N, row_bytes]; experts follow each other every expert_bytes
  const u8 *scales;           // per row f32 [N]; per block f32 [ceil(N / 128), scale_stride]; per group f16 [slabs, scale_stride rows, groups of a slab]
  const u8 *mins;             // as the group's scales, or null
  const bf16 *x;              // [M, x_stride]
  void *y;                    // [M, y_stride], bf16 or f32
  const float *bias;          // [N] or null
  const float *residual;      // [M, residual_stride] or null; may be y
  const int *sorted_pairs;    // grouped: x row of sorted row p is sorted_pairs[p] / top_k; null: p
  const int *expert_offsets;  // grouped: [num_experts + 1]
  float *partials;            // panel with splits
  int *counters;              // panel with splits: zeros, and zeros again afterwards
  i64 row_bytes;
  i64 expert_bytes;
  i64 expert_scale_bytes;
  int rows;                   // outputs: N, or I where up_offset is set
  int columns;                // K
  int tokens;                 // M
  int x_stride;
  int y_stride;
  int residual_stride;
  int tile_rows;              // stream: rows of a tile, at most 32 (16 with up_offset)
  int num_tiles;              // row tiles
  int up_offset;              // 0, or rows from a gate's row to its up row: y = silu(gate) · up
  int scale_stride;
  int num_experts;
  int top_k;
  int y_is_float;
  int x_rows;                 // token rows a slot has room for
  int slot_bytes;
  int splits;                 // panel: ranges of K
  int exact;                  // stream: x stays bf16, whatever its range, so that no row depends on its batch
  int early;                  // grouped: the kernel in front started this one after its own wait, so what came before it is there: expert_offsets
  const float *norm_weight;   // stream_norm: [K]; x is [.., x_stride] f32, and what is multiplied is rms_norm(x) · norm_weight
  const int *x_index;         // stream_norm: row t of the product is row x_index[t] of x; null: t
  const u8 *ahead;            // stream: what the next matmul reads first, asked into L2 while memory has nothing else to do: ahead_bytes here
  i64 ahead_second;           // and at this distance, unless 0
  i64 ahead_bytes;
  float norm_eps;
  int reserved;
};

extern __shared__ __attribute__((aligned(128))) u8 dynamic_shared[];

DEVICE uint4v lds16(u32 a) {
  uint4v r;
  asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "r"(a) : "memory");
  return r;
}
DEVICE uint2v lds8(u32 a) {
  uint2v r;
  asm volatile("ld.shared.v2.u32 {%0,%1}, [%2];" : "=r"(r.x), "=r"(r.y) : "r"(a) : "memory");
  return r;
}
DEVICE float lds_float(u32 a) {
  float r;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(r) : "r"(a) : "memory");
  return r;
}
DEVICE float lds_f16(u32 a) {
  u16 r;
  asm volatile("ld.shared.u16 %0, [%1];" : "=h"(r) : "r"(a) : "memory");
  return f16_to_float(r);
}
DEVICE void sts16(u32 a, u32 x, u32 y, u32 z, u32 w) { asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(a), "r"(x), "r"(y), "r"(z), "r"(w) : "memory"); }
DEVICE void sts_float(u32 a, float v) { asm volatile("st.shared.f32 [%0], %1;" ::"r"(a), "f"(v) : "memory"); }
DEVICE int lds_int(u32 a) {
  int r;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(r) : "r"(a) : "memory");
  return r;
}
DEVICE void sts_int(u32 a, int v) { asm volatile("st.shared.u32 [%0], %1;" ::"r"(a), "r"(v) : "memory"); }
// Past L1: read before the kernel in front has ended, where a line of an earlier step may still lie there.
DEVICE int load_device(const int *p) {
  int r;
  asm volatile("ld.relaxed.gpu.global.s32 %0, [%1];" : "=r"(r) : "l"(p) : "memory");
  return r;
}
DEVICE void prefetch_range(const u8 *p, u32 bytes) {
#if HADAL_SM90
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(p), "r"(bytes) : "memory");
#endif
}
DEVICE u64 evict_first_policy() {
  u64 r;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(r));
  return r;
}
// Weights. POLICY: they are the first to leave L2, so that what is used again stays.
template <bool POLICY> DEVICE void copy_weights16(u32 smem, const void *p, int bytes, u64 policy) {
  if constexpr (POLICY) asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2, %3;" ::"r"(smem), "l"(p), "r"(bytes), "l"(policy) : "memory");
  else asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(smem), "l"(p), "r"(bytes) : "memory");
}
// Hides from ptxas that an address is the same for the whole warp. Where it knows, it may add a uniform register to the address of a copy with a cache
// policy, and ptxas 13.0 then puts the policy's descriptor into an odd uniform register, which the card refuses as an illegal instruction.
DEVICE u32 not_uniform(u32 v) {
  asm volatile("" : "+r"(v));
  return v;
}
template <int BYTES> DEVICE void copy_small(u32 smem, const void *p) {
  if constexpr (BYTES == 16) asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(smem), "l"(p) : "memory");
  else asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(smem), "l"(p), "n"(BYTES) : "memory");
}
DEVICE u32 permute_bytes(u32 a, u32 b, u32 selector) {
  u32 r;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(selector));
  return r;
}
// (a & b) | c in one instruction: left to itself, ptxas takes two where b and c are constants.
DEVICE u32 and_or(u32 a, u32 b, u32 c) {
  u32 r;
  asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
  return r;
}
DEVICE u32 add_f16x2(u32 a, u32 b) {
  u32 r;
  asm("add.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
  return r;
}
DEVICE u32 ballot(bool v) {
  u32 r;
  asm volatile("{ .reg .pred p; setp.ne.s32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff; }" : "=r"(r) : "r"((int)v));
  return r;
}
DEVICE u32 fma_bf16x2(u32 a, u32 b, u32 c) {
  u32 r;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
  return r;
}

// ---- formats ----
// PAIRS: pieces of 8 activations that one 16-byte piece of weights meets. CONTIGUOUS: they follow each other in x (as stored in checkpoints);
// otherwise piece p of thread t is columns 32p + 8t … + 7 of its block, which keeps groups of 32 within one piece.
// HALF: decoding to f16 takes far fewer instructions than to bf16: see x_to_f16. FLUSH: pieces after which sums are scaled; 0 never. SCALE_BYTES: scales of one row in one slab.
enum class Scaling { None, Row, Block, Group };

// Four e4m3 as two pairs of bf16, exactly: the 4 exponent bits lie in bf16's 8, a multiplication by 2^120 mends the bias, subnormals included.
// NaN codes come out as ±480.
DEVICE u32 e4m3_pair(u32 t) { return fma_bf16x2(((t >> 4) & 0x07f007f0u) | (t & 0x80008000u), 0x7b807b80u, 0x80008000u); }
// Two int8 as bf16, exactly: 128 + (q & 127) less 128 or 256.
DEVICE u32 int8_pair(u32 t) { return fma_bf16x2(t & 0xff7fff7fu, 0x3f803f80u, (t & 0xff80ff80u) ^ 0x80008000u); }

struct Bf16Weights {
  static constexpr bool HALF = false;
  static constexpr int KB = 64, STAGES = 4, PAIRS = 1, FLUSH = 0, SCALE_BYTES = 0, GROUP = 0;
  static constexpr bool CONTIGUOUS = false, OFFSET = false;
  static constexpr Scaling SCALING = Scaling::None;
  static METHOD void decode(const uint4v &w, int, u32 (&a)[4]) { a[0] = w.x, a[1] = w.y, a[2] = w.z, a[3] = w.w; }
};
template <Scaling S> struct Fp8Weights {
  static constexpr bool HALF = HADAL_SM90;
  static constexpr int KB = 128, STAGES = 3, PAIRS = 2, FLUSH = S == Scaling::Block ? 4 : 0, SCALE_BYTES = S == Scaling::Block ? 4 : 0, GROUP = 0;
  static constexpr bool CONTIGUOUS = true, OFFSET = false;
  static constexpr Scaling SCALING = S;
  static METHOD void decode(const uint4v &w, int p, u32 (&a)[4]) {
    u32 u = p == 0 ? w.x : w.z, v = p == 0 ? w.y : w.w;
    a[0] = e4m3_pair(permute_bytes(u, 0, 0x1404)), a[1] = e4m3_pair(permute_bytes(u, 0, 0x3424));
    a[2] = e4m3_pair(permute_bytes(v, 0, 0x1404)), a[3] = e4m3_pair(permute_bytes(v, 0, 0x3424));
  }
  static METHOD void decode_f16(const uint4v &w, int p, u32 (&a)[4]) {
    u32 u = p == 0 ? w.x : w.z, v = p == 0 ? w.y : w.w;
    a[0] = e4m3x2_to_f16x2((u16)u), a[1] = e4m3x2_to_f16x2((u16)(u >> 16));
    a[2] = e4m3x2_to_f16x2((u16)v), a[3] = e4m3x2_to_f16x2((u16)(v >> 16));
  }
};
// G: columns of a group, 0 for a scale per row.
template <int G> struct Int8Weights {
  static constexpr bool HALF = HADAL_SM90;
  static constexpr int KB = 128, STAGES = 3, PAIRS = 2, FLUSH = G == 0 ? 0 : 1, SCALE_BYTES = G == 0 ? 0 : 2 * 128 / G, GROUP = G;
  static constexpr bool CONTIGUOUS = G == 0, OFFSET = false;
  static constexpr Scaling SCALING = G == 0 ? Scaling::Row : Scaling::Group;
  static METHOD void decode(const uint4v &w, int p, u32 (&a)[4]) {
    u32 u = p == 0 ? w.x : w.z, v = p == 0 ? w.y : w.w;
    a[0] = int8_pair(permute_bytes(u, 0x43434343, 0x4140)), a[1] = int8_pair(permute_bytes(u, 0x43434343, 0x4342));
    a[2] = int8_pair(permute_bytes(v, 0x43434343, 0x4140)), a[3] = int8_pair(permute_bytes(v, 0x43434343, 0x4342));
  }
  // 1024 + (128 + q) less 1152.
  static METHOD void decode_f16(const uint4v &w, int p, u32 (&a)[4]) {
    u32 u = (p == 0 ? w.x : w.z) ^ 0x80808080u, v = (p == 0 ? w.y : w.w) ^ 0x80808080u;
    a[0] = add_f16x2(permute_bytes(u, 0x64646464, 0x4140), 0xe480e480u), a[1] = add_f16x2(permute_bytes(u, 0x64646464, 0x4342), 0xe480e480u);
    a[2] = add_f16x2(permute_bytes(v, 0x64646464, 0x4140), 0xe480e480u), a[3] = add_f16x2(permute_bytes(v, 0x64646464, 0x4342), 0xe480e480u);
  }
};
template <int G> struct Int4Weights {
  static constexpr bool HALF = false;
  static constexpr int KB = 256, STAGES = 3, PAIRS = 4, FLUSH = G / 32, SCALE_BYTES = 2 * 256 / G, GROUP = G;
  static constexpr bool CONTIGUOUS = false, OFFSET = true;
  static constexpr Scaling SCALING = Scaling::Group;
  // 128 + q: what is too much is taken off each group's sum, with the sum of its activations.
  static METHOD void decode(const uint4v &w, int p, u32 (&a)[4]) {
    u32 u = p == 0 ? w.x : p == 1 ? w.y : p == 2 ? w.z : w.w;
#pragma unroll
    for (int i = 0; i < 4; i++) a[i] = and_or(u >> (4 * i), 0x000f000fu, 0x43004300u);
  }
};

DEVICE u32 word(const uint4v &v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

// acc += one slab of 32 rows (16 where TILES is 1) times its activations. weights: the slab; scales, mins: SCALE_BYTES for each of the 32 rows;
// x[nt]: the row of token 8·nt + g, 128-byte aligned; x_odd: 5 where that row is an odd one of the slot.
template <class F, int NT, bool HALF = false, int TILES = MT>
DEVICE void multiply_slab(u32 weights, u32 scales, u32 mins, bool has_mins, const u32 (&x)[NT], const int (&x_odd)[NT], float (&acc)[MT][NT][4]) {
  const int lane = lane_id(), g = lane >> 2, t = lane & 3;
  const u32 row = weights + g * 128;
  const int swizzle = t ^ ((g & 1) * 5);
  // What a stored code stands above its weight, in scales.
  const float above = !F::OFFSET ? 0.f : has_mins ? 128.f : 136.f;
  float part[TILES][NT][4];
  float sums[NT][4];
  if constexpr (F::FLUSH != 0) {
#pragma unroll
    for (int nt = 0; nt < NT; nt++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        sums[nt][i] = 0;
#pragma unroll
        for (int mt = 0; mt < TILES; mt++) part[mt][nt][i] = 0;
      }
  }

  // After a group: its sums, scaled, go to the accumulators, by one rounding each: of a product and a sum the compiler makes one
  // rounding or two, as the code around has it, and 8 and 16 tokens would differ (SkinnyPtxTests). `group`: which of the slab's.
  auto flush = [&](int group) {
#pragma unroll
    for (int mt = 0; mt < TILES; mt++) {
      const int r = mt * 16 + g;
      float low, high;
      if constexpr (F::SCALING == Scaling::Block) {
        low = lds_float(scales + r * 4), high = lds_float(scales + (r + 8) * 4);
      } else {
        low = lds_f16(scales + r * F::SCALE_BYTES + group * 2), high = lds_f16(scales + (r + 8) * F::SCALE_BYTES + group * 2);
      }
#pragma unroll
      for (int nt = 0; nt < NT; nt++) {
        acc[mt][nt][0] = fma_(low, part[mt][nt][0], acc[mt][nt][0]), acc[mt][nt][1] = fma_(low, part[mt][nt][1], acc[mt][nt][1]);
        acc[mt][nt][2] = fma_(high, part[mt][nt][2], acc[mt][nt][2]), acc[mt][nt][3] = fma_(high, part[mt][nt][3], acc[mt][nt][3]);
#pragma unroll
        for (int i = 0; i < 4; i++) part[mt][nt][i] = 0;
      }
      if constexpr (F::SCALING == Scaling::Group) {
        if (F::OFFSET || has_mins) {
          float m = mul_(-above, low), n = mul_(-above, high);
          if (has_mins) m += lds_f16(mins + r * F::SCALE_BYTES + group * 2), n += lds_f16(mins + (r + 8) * F::SCALE_BYTES + group * 2);
#pragma unroll
          for (int nt = 0; nt < NT; nt++) {
            acc[mt][nt][0] = fma_(m, sums[nt][0], acc[mt][nt][0]), acc[mt][nt][1] = fma_(m, sums[nt][1], acc[mt][nt][1]);
            acc[mt][nt][2] = fma_(n, sums[nt][0], acc[mt][nt][2]), acc[mt][nt][3] = fma_(n, sums[nt][1], acc[mt][nt][3]);
          }
        }
      }
    }
#pragma unroll
    for (int nt = 0; nt < NT; nt++)
#pragma unroll
      for (int i = 0; i < 4; i++) sums[nt][i] = 0;
  };

#pragma unroll
  for (int j = 0; j < 2; j++) {
    uint4v low[TILES], high[TILES];
    const u32 piece = row + ((4 * j) ^ swizzle) * 16;
#pragma unroll
    for (int mt = 0; mt < TILES; mt++) low[mt] = lds16(piece + mt * 2048), high[mt] = lds16(piece + mt * 2048 + 1024);
#pragma unroll
    for (int p = 0; p < F::PAIRS; p++) {
      uint4v b[NT];
#pragma unroll
      for (int nt = 0; nt < NT; nt++) {
        if constexpr (F::GROUP == 16) {
          // Two groups of 16: thread t has columns 4t … 4t + 3 of each.
          const u32 base = x[nt] + j * 128 + (t & 1) * 8;
          uint2v first = lds8(base + ((4 * p + (t >> 1)) ^ x_odd[nt]) * 16), second = lds8(base + ((4 * p + 2 + (t >> 1)) ^ x_odd[nt]) * 16);
          b[nt] = {first.x, first.y, second.x, second.y};
        } else {
          const int c = F::CONTIGUOUS ? 8 * j + p + ((2 * t) & 7) : F::PAIRS == 1 ? 4 * j + t : 4 * F::PAIRS * j + 4 * p + t;
          b[nt] = lds16(x[nt] + (c ^ x_odd[nt]) * 16);
        }
      }
      u32 a[TILES][4], c[TILES][4];
#pragma unroll
      for (int mt = 0; mt < TILES; mt++) {
        if constexpr (HALF) F::decode_f16(low[mt], p, a[mt]), F::decode_f16(high[mt], p, c[mt]);
        else F::decode(low[mt], p, a[mt]), F::decode(high[mt], p, c[mt]);
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int mt = 0; mt < TILES; mt++) {
#pragma unroll
          for (int nt = 0; nt < NT; nt++) {
            float(&into)[4] = F::FLUSH != 0 ? part[mt][nt] : acc[mt][nt];
            const u32 a0 = a[mt][2 * half], a1 = c[mt][2 * half], a2 = a[mt][2 * half + 1], a3 = c[mt][2 * half + 1];
            if constexpr (HALF) mma_f16(into, a0, a1, a2, a3, word(b[nt], 2 * half), word(b[nt], 2 * half + 1));
            else mma_bf16(into, a0, a1, a2, a3, word(b[nt], 2 * half), word(b[nt], 2 * half + 1));
          }
        }
        if constexpr (F::SCALING == Scaling::Group) {
          if (F::OFFSET || has_mins) {
            const u32 one = HALF ? 0x3c003c00u : 0x3f803f80u;
#pragma unroll
            for (int nt = 0; nt < NT; nt++) {
              if constexpr (HALF) mma_f16(sums[nt], one, one, one, one, word(b[nt], 2 * half), word(b[nt], 2 * half + 1));
              else mma_bf16(sums[nt], one, one, one, one, word(b[nt], 2 * half), word(b[nt], 2 * half + 1));
            }
          }
        }
        if constexpr (F::GROUP == 16) flush(4 * j + 2 * p + half);
      }
      if constexpr (F::FLUSH != 0 && F::GROUP != 16 && F::SCALING == Scaling::Group) {
        if ((p + 1) % F::FLUSH == 0) flush((F::PAIRS * j + p) / F::FLUSH);
      }
    }
  }
  if constexpr (F::SCALING == Scaling::Block) flush(0);
}

// One warp's slab of weights: rows `row`, … of each of two tiles of 16, lane's own pointer and limits.
struct SlabSource {
  const u8 *weights; // Row first + lane / 8, 16-byte piece lane % 8
  i64 four_rows;     // bytes
  i64 tile_offset;   // bytes from the first tile to the second
  int limit[MT];     // rows left in each tile, less lane / 8
  int row_bytes;
  // Scales: lane's own row of the 32.
  const u8 *scales;
  const u8 *mins;
  int scale_rows;    // whether the lane's row exists
  i64 scale_slab;    // bytes from one slab to the next

  // base: row 0's tile; up: rows from the first tile to the second; valid: rows of the first, and of the second.
  template <class F> METHOD void set(const SkinnyParams &p, const u8 *base, const u8 *scale_base, const u8 *min_base, int row0, int second, int valid0, int valid1) {
    const int lane = lane_id();
    weights = base + (i64)(row0 + (lane >> 3)) * p.row_bytes + (lane & 7) * 16;
    four_rows = 4 * p.row_bytes;
    tile_offset = (i64)second * p.row_bytes;
    limit[0] = valid0 - (lane >> 3), limit[1] = valid1 - (lane >> 3);
    row_bytes = (int)p.row_bytes - (lane & 7) * 16;
    if constexpr (F::SCALE_BYTES != 0) {
      const int tile = lane >> 4, r = lane & 15, n = row0 + r + tile * second;
      scale_rows = r < (tile ? valid1 : valid0);
      if constexpr (F::SCALING == Scaling::Block) {
        scales = scale_base + (i64)(n >> 7) * p.scale_stride * 4;
        scale_slab = 4;
      } else {
        scales = scale_base + (i64)n * F::SCALE_BYTES;
        mins = min_base ? min_base + (i64)n * F::SCALE_BYTES : nullptr;
        scale_slab = (i64)p.scale_stride * F::SCALE_BYTES;
      }
    }
  }

  template <class F, bool POLICY> METHOD void issue(u32 slab_smem, u32 scales_smem, u32 mins_smem, int slab, u64 policy) const {
    const int lane = lane_id();
    const u32 to = slab_smem + (lane >> 3) * 128 + (((lane & 7) ^ (((lane >> 3) & 1) * 5)) * 16);
    const u8 *from = weights + (i64)slab * 128;
    const int bytes = slab * 128 < row_bytes ? 16 : 0;
    if (bytes == 0) from = weights; // Nothing is read, but the address stays inside.
#pragma unroll
    for (int mt = 0; mt < MT; mt++)
#pragma unroll
      for (int i = 0; i < 4; i++)
        if (4 * i < limit[mt]) copy_weights16<POLICY>(to + mt * 2048 + i * 512, from + mt * tile_offset + i * four_rows, bytes, policy);
    if constexpr (F::SCALE_BYTES != 0) {
      if (scale_rows) {
        copy_small<F::SCALE_BYTES>(scales_smem + lane * F::SCALE_BYTES, scales + slab * scale_slab);
        if (F::SCALING == Scaling::Group && mins) copy_small<F::SCALE_BYTES>(mins_smem + lane * F::SCALE_BYTES, mins + slab * scale_slab);
      }
    }
  }
};

// x[row, slab's columns] to 2·KB bytes of the slot's row, pieces of odd rows permuted. `piece`: of KB / 8.
template <class F> DEVICE void copy_x(const SkinnyParams &p, u32 slot, int token, i64 x_row, int slab, int piece) {
  const int k = slab * F::KB + piece * 8;
  const int bytes = max_(0, min_(16, 2 * (p.columns - k)));
  const bf16 *from = p.x + x_row * p.x_stride + (bytes ? k : 0);
  cp_async16(slot + token * (2 * F::KB) + ((piece ^ ((token & 1) * 5)) * 16), from, bytes);
}

// x in a slot to f16, where that costs nothing that counts: every row's largest value in the slab is 0 or at least 2^-9, and none reaches 2^16. bf16's 8
// significant bits fit f16's 11, so values from 2^-14 up (from 2^-17 in fact) stay what they are, smaller ones lose at most 2^-25. False, and x is as before,
// where a row is out of that range.
template <class F> DEVICE bool x_to_f16(u32 slot_x, int count) {
#if HADAL_SM90
  constexpr int PIECES = F::KB / 8, ROWS = 32 / PIECES; // 16 pieces a row, two rows at a time
  const int lane = lane_id();
  uint4v v[8 / ROWS];
  bool fits = true;
#pragma unroll
  for (int i = 0; i < 8 / ROWS; i++) {
    if (i * ROWS >= count) break;
    u32 most = 0;
    if (i * ROWS + lane / PIECES < count) {
      v[i] = lds16(slot_x + i * (32 * 16) + lane * 16); // Which piece it is does not matter.
      u32 m = v[i].x & 0x7fff7fffu;
      asm("max.u16x2 %0, %0, %1;" : "+r"(m) : "r"(v[i].y & 0x7fff7fffu));
      asm("max.u16x2 %0, %0, %1;" : "+r"(m) : "r"(v[i].z & 0x7fff7fffu));
      asm("max.u16x2 %0, %0, %1;" : "+r"(m) : "r"(v[i].w & 0x7fff7fffu));
      most = (m & 0xffffu) > (m >> 16) ? m & 0xffffu : m >> 16;
    }
    const u32 large = ballot(most >= 0x3b00u), some = ballot(most != 0), over = ballot(most >= 0x4780u);
    fits = fits && over == 0 && ((large & 0xffffu) != 0 || (some & 0xffffu) == 0) && (large >> 16 != 0 || some >> 16 == 0);
  }
  if (!fits) return false;
#pragma unroll
  for (int i = 0; i < 8 / ROWS; i++) {
    if (i * ROWS >= count) break;
    if (i * ROWS + lane / PIECES < count) {
      const u32 a = pack_f16(low_bf16(v[i].x), high_bf16(v[i].x)), b = pack_f16(low_bf16(v[i].y), high_bf16(v[i].y));
      const u32 c = pack_f16(low_bf16(v[i].z), high_bf16(v[i].z)), d = pack_f16(low_bf16(v[i].w), high_bf16(v[i].w));
      asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(slot_x + i * (32 * 16) + lane * 16), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
    }
  }
  sync_warp();
  return true;
#else
  return false;
#endif
}

DEVICE float silu(float v) { return v / (1 + exp_(-v)); }

// What joins a sum on its way to y.
struct Extras {
  float scale, up_scale, bias, up_bias, residual;

  template <class F> METHOD void load(const SkinnyParams &p, const u8 *scale_base, i64 token, int n) {
    scale = up_scale = 1;
    if constexpr (F::SCALING == Scaling::Row) {
      scale = ((const float *)scale_base)[n];
      if (p.up_offset) up_scale = ((const float *)scale_base)[n + p.up_offset];
    }
    bias = p.bias ? p.bias[n] : 0.f;
    up_bias = p.bias && p.up_offset ? p.bias[n + p.up_offset] : 0.f;
    residual = p.residual ? p.residual[token * p.residual_stride + n] : 0.f;
  }

  // Sums of row n (and of its up row) to y.
  METHOD void store(const SkinnyParams &p, i64 token, int n, float sum, float up) const {
    sum = fma_(sum, scale, bias);
    if (p.up_offset) sum = mul_(silu(sum), fma_(up, up_scale, up_bias));
    sum += residual;
    if (p.y_is_float) ((float *)p.y)[token * p.y_stride + n] = sum;
    else ((bf16 *)p.y)[token * p.y_stride + n] = to_bf16(sum);
  }
};

// ---- stream_rows ----
// What a block does next: up to 32 rows for up to 8·NT tokens.
struct Item {
  int row, valid;   // first row, rows
  int token, count; // first token (or sorted row), tokens
  int expert;
};

template <class F, int NT, bool GROUPED> struct StreamItems {
  u32 prefix;  // grouped, shared: [num_experts + 1] token tiles before an expert
  u32 offsets; // grouped, shared: [num_experts + 1]
  int token_tiles;
  int total;

  METHOD Item at(const SkinnyParams &p, int id) const {
    Item r;
    int tile = id, part = 0;
    r.expert = 0;
    if constexpr (GROUPED) {
      part = id / p.num_tiles, tile = id - part * p.num_tiles;
      int low = 0, high = p.num_experts; // prefix[low] <= part < prefix[high]
      while (high - low > 1) {
        const int middle = (low + high) >> 1;
        if (lds_int(prefix + middle * 4) <= part) low = middle;
        else high = middle;
      }
      r.expert = low;
      r.token = lds_int(offsets + low * 4) + (part - lds_int(prefix + low * 4)) * (8 * NT);
      r.count = min_(8 * NT, lds_int(offsets + low * 4 + 4) - r.token);
    } else {
      if (token_tiles > 1) tile = id / token_tiles, part = id - tile * token_tiles;
      r.token = part * (8 * NT);
      r.count = min_(8 * NT, p.tokens - r.token);
    }
    r.row = tile * p.tile_rows;
    r.valid = min_(p.tile_rows, p.rows - r.row);
    return r;
  }
};

// Where a warp's next slab comes from.
template <class F, int NT, bool GROUPED> struct StreamCursor {
  int id, slab;
  int count;  // tokens
  int x_row;  // grouped: lane's token's row of x; else the first token
  SlabSource source;

  METHOD void open(const SkinnyParams &p, const StreamItems<F, NT, GROUPED> &items) {
    if (id >= items.total) return;
    const Item item = items.at(p, id);
    count = item.count;
    const u8 *w = p.weights, *s = p.scales, *m = p.mins;
    if constexpr (GROUPED) {
      w += item.expert * p.expert_bytes, s += item.expert * p.expert_scale_bytes;
      if (m) m += item.expert * p.expert_scale_bytes;
      const int lane = lane_id();
      x_row = item.token + min_(lane, count - 1);
      if (p.sorted_pairs) x_row = p.sorted_pairs[x_row] / p.top_k;
    } else {
      x_row = item.token;
    }
    source.set<F>(p, w, s, m, item.row, p.up_offset ? p.up_offset : 16, item.valid, p.up_offset ? item.valid : item.valid - 16);
  }

  METHOD void next(const SkinnyParams &p, const StreamItems<F, NT, GROUPED> &items, int warp, int warps, int slabs) {
    if (id >= items.total) return;
    slab += warps;
    if (slab >= slabs) {
      slab = warp, id += grid_x();
      open(p, items);
    }
  }

  METHOD void issue_weights(const StreamItems<F, NT, GROUPED> &items, u32 slot, u64 policy) const {
    if (id < items.total) source.issue<F, true>(slot, slot + SLAB_BYTES, slot + SLAB_BYTES + 32 * F::SCALE_BYTES, slab, policy);
  }

  METHOD void issue_x(const SkinnyParams &p, const StreamItems<F, NT, GROUPED> &items, u32 slot_x) const {
    if (id >= items.total) return;
    constexpr int PIECES = F::KB / 8; // 8, 16 or 32
    const int lane = lane_id();
#pragma unroll
    for (int i = 0; i < 8 * NT * PIECES / 32; i++) {
      const int token = i * (32 / PIECES) + lane / PIECES;
      i64 row = x_row + token;
      if constexpr (GROUPED) row = shfl(x_row, min_(token, 8 * NT - 1));
      if (token < count) copy_x<F>(p, slot_x, token, row, slab, lane % PIECES);
      if ((i + 1) * (32 / PIECES) >= count) break;
    }
  }
};

// Every row of x, normed, to shared memory, slab by slab: [slab][token][KB], pieces permuted as in a slot. Where weights go to f16, a row is multiplied by the
// power of two that brings its largest value to 2^14 … 2^15: f16 then has 11 significant bits of all that is above 2^-28 of it, and `lifts` takes the sums back.
// 1,024 columns for each warp of the block at most, a multiple of 8.
constexpr int NORM_PIECES = 4;
template <class F> DEVICE void norm_rows(const SkinnyParams &p, int tokens, u32 x_all, u32 scratch, u32 lifts, int slabs) {
  const int warps = block_dim() >> 5;
#pragma unroll 1
  for (int token = 0; token < tokens; token++) {
    const float *from = (const float *)p.x + (i64)(p.x_index ? p.x_index[token] : token) * p.x_stride;
    float v[NORM_PIECES][8];
    float squares = 0, most = 0;
#pragma unroll
    for (int i = 0; i < NORM_PIECES; i++) {
      const int column = (i * block_dim() + tid()) * 8;
#pragma unroll
      for (int j = 0; j < 8; j++) v[i][j] = 0;
      if (column < p.columns) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
          const float4v a = ((const float4v *)(from + column))[h], w = ((const float4v *)(p.norm_weight + column))[h];
          squares = fma_(a.x, a.x, fma_(a.y, a.y, fma_(a.z, a.z, fma_(a.w, a.w, squares))));
          v[i][4 * h] = a.x * w.x, v[i][4 * h + 1] = a.y * w.y, v[i][4 * h + 2] = a.z * w.z, v[i][4 * h + 3] = a.w * w.w;
        }
      }
    }
#pragma unroll
    for (int i = 0; i < NORM_PIECES; i++)
#pragma unroll
      for (int j = 0; j < 8; j++) most = fmax_(most, __builtin_fabsf(v[i][j]));
    squares = warp_sum(squares), most = warp_max(most);
    // Two halves by turns, so that one barrier is enough.
    const u32 half = scratch + (token & 1) * 64;
    if (lane_id() == 0) sts_float(half + warp_id() * 4, squares), sts_float(half + 32 + warp_id() * 4, most);
    sync_block();
    squares = most = 0;
#pragma unroll
    for (int w = 0; w < 8; w++)
      if (w < warps) squares += lds_float(half + w * 4), most = fmax_(most, lds_float(half + 32 + w * 4));
    float inverse = rsqrt_(squares * rcp_((float)p.columns) + p.norm_eps);
    if constexpr (F::HALF) {
      const int exponent = max_(15, min_(240, (int)(float_to_bits(most * inverse) >> 23)));
      inverse *= bits_to_float((u32)(268 - exponent) << 23);
      if (tid() == 0) sts_float(lifts + token * 4, bits_to_float((u32)(exponent - 14) << 23));
    }
#pragma unroll
    for (int i = 0; i < NORM_PIECES; i++) {
      const int column = (i * block_dim() + tid()) * 8, slab = column / F::KB, piece = column % F::KB / 8;
      if (slab >= slabs) continue;
      u32 w[4];
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const float a = v[i][2 * j] * inverse, b = v[i][2 * j + 1] * inverse;
        w[j] = F::HALF ? pack_f16(a, b) : pack_bf16(a, b);
      }
      sts16(x_all + (slab * p.x_rows + token) * (2 * F::KB) + (piece ^ ((token & 1) * 5)) * 16, w[0], w[1], w[2], w[3]);
    }
  }
  sync_block();
}

template <class F, int NT, bool GROUPED, int S = F::STAGES, bool NORM = false> DEVICE void stream_rows(const SkinnyParams &p) {
  const int lane = lane_id(), g = lane >> 2, t = lane & 3, warp = warp_id(), warps = block_dim() >> 5;
  const u32 base = smem_address(dynamic_shared);
  const u32 ring = base + warp * S * p.slot_bytes;
  const u32 totals = base + warps * S * p.slot_bytes;
  const u32 tables = totals + 2 * warps * p.x_rows * SUM_PITCH * 4;
  // Grouped: the list of work. With a norm: 16 words to add up in a row's turn, a power of two a row, and all of x.
  const u32 norm_tables = tables + (GROUPED ? (2 * (p.num_experts + 1) * 4 + 15) & ~15 : 0), lifts = norm_tables + 128, x_all = norm_tables + 256;
  const int slabs = ((int)p.row_bytes + 127) / 128;
  const bool has_mins = F::SCALING == Scaling::Group && p.mins != nullptr;
  const u32 x_offset = SLAB_BYTES + ((32 * F::SCALE_BYTES * (has_mins ? 2 : 1) + 127) & ~127);

  const u64 policy = evict_first_policy();
  StreamItems<F, NT, GROUPED> items;
  if constexpr (!GROUPED) start_next();
  if constexpr (GROUPED) {
    // After the wait, so that what the kernel in front of this one waited for is there when the next one starts.
    if (!p.early) wait_previous();
    start_next();
    items.prefix = tables, items.offsets = tables + (p.num_experts + 1) * 4;
    if (warp == 0) {
      // Lane i has experts i·per …: token tiles before each.
      const int per = ceil_div(p.num_experts, 32);
      int mine = 0;
#pragma unroll 1
      for (int i = 0; i < per; i++) {
        const int e = lane * per + i;
        if (e < p.num_experts) {
          const int from = load_device(p.expert_offsets + e), to = load_device(p.expert_offsets + e + 1);
          sts_int(items.offsets + e * 4, from);
          if (e == p.num_experts - 1) sts_int(items.offsets + e * 4 + 4, to);
          mine += (to - from + 8 * NT - 1) / (8 * NT);
        }
      }
      sync_warp();
      int before = 0, all = mine;
#pragma unroll
      for (int d = 1; d < 32; d <<= 1) {
        const int other = shfl(all, max_(lane - d, 0));
        if (lane >= d) all += other;
      }
      before = all - mine;
#pragma unroll 1
      for (int i = 0; i < per; i++) {
        const int e = lane * per + i;
        if (e < p.num_experts) {
          sts_int(items.prefix + e * 4, before);
          before += (lds_int(items.offsets + e * 4 + 4) - lds_int(items.offsets + e * 4) + 8 * NT - 1) / (8 * NT);
          if (e == p.num_experts - 1) sts_int(items.prefix + e * 4 + 4, before);
        }
      }
    }
    sync_block();
    items.token_tiles = 1;
    items.total = lds_int(items.prefix + p.num_experts * 4) * p.num_tiles;
  } else {
    items.token_tiles = (p.tokens + 8 * NT - 1) / (8 * NT);
    items.total = p.num_tiles * items.token_tiles;
  }

  StreamCursor<F, NT, GROUPED> load;
  load.id = warp < slabs ? bid_x() : items.total;
  load.slab = warp;
  load.open(p, items);
  StreamCursor<F, NT, GROUPED> load_x = load;
#pragma unroll 1
  for (int s = 0; s < S; s++) {
    load.issue_weights(items, not_uniform(ring + s * p.slot_bytes), policy);
    load.next(p, items, warp, warps, slabs);
    if constexpr (NORM) cp_async_commit();
  }
  if constexpr (!GROUPED) {
    if (p.ahead_bytes > 0 && tid() == 0) {
      const i64 share = (p.ahead_bytes / grid_x() + 15) & ~15ll, from = bid_x() * share;
      const i64 bytes = p.ahead_bytes - from < share ? p.ahead_bytes - from : share;
      if (bytes > 0) {
        prefetch_range(p.ahead + from, (u32)bytes);
        if (p.ahead_second) prefetch_range(p.ahead + p.ahead_second + from, (u32)bytes);
      }
    }
  }
  // Weights are on their way; what they meet is ready only now.
  if (!GROUPED || p.early) wait_previous();
  if constexpr (NORM) {
    // Experts come with a norm where there is one token alone.
    norm_rows<F>(p, GROUPED ? 1 : p.tokens, x_all, norm_tables, lifts, slabs);
  } else {
#pragma unroll 1
    for (int s = 0; s < S; s++) {
      load_x.issue_x(p, items, ring + s * p.slot_bytes + x_offset);
      load_x.next(p, items, warp, warps, slabs);
      cp_async_commit();
    }
  }

  u32 slot = ring;
  int turn = 0, rotation = 0;
  for (int id = bid_x(); id < items.total; id += grid_x(), turn ^= 1, rotation += 32) {
    const Item item = items.at(p, id);
    float acc[MT][NT][4];
    int x_odd[NT];
    u32 x_row[NT];
#pragma unroll
    for (int nt = 0; nt < NT; nt++) {
      // Tokens that are not there repeat the last one; nobody reads their sums.
      const int token = min_(8 * nt + g, item.count - 1);
      x_odd[nt] = (token & 1) * 5;
      x_row[nt] = (NORM ? x_all : x_offset) + token * (2 * F::KB);
#pragma unroll
      for (int mt = 0; mt < MT; mt++)
#pragma unroll
        for (int i = 0; i < 4; i++) acc[mt][nt][i] = 0;
    }
    // Results are made by a part of the block, another with each tile; what joins the sums is asked for now.
    const u8 *scale_base = p.scales;
    if constexpr (GROUPED) scale_base += item.expert * p.expert_scale_bytes;
    const int first = (tid() + rotation) % block_dim();
    Extras extras;
    if (first < item.valid * item.count) {
      const int token = first / item.valid;
      extras.load<F>(p, scale_base, item.token + token, item.row + first - token * item.valid);
    }
    const bool one_tile = !p.up_offset && item.valid <= 16;
    for (int slab = warp; slab < slabs; slab += warps) {
      cp_async_wait<S - 1>();
      sync_warp();
      u32 x[NT];
#pragma unroll
      for (int nt = 0; nt < NT; nt++) x[nt] = x_row[nt] + (NORM ? slab * p.x_rows * (2 * F::KB) : slot);
      const u32 scales = slot + SLAB_BYTES, mins = scales + 32 * F::SCALE_BYTES;
      bool half = false;
      if constexpr (F::HALF && NT == 1 && !NORM) half = !p.exact && item.count <= 4 && x_to_f16<F>(slot + x_offset, item.count);
      if constexpr (NORM) {
        if (one_tile) multiply_slab<F, NT, F::HALF, 1>(slot, scales, mins, has_mins, x, x_odd, acc);
        else multiply_slab<F, NT, F::HALF>(slot, scales, mins, has_mins, x, x_odd, acc);
      } else if constexpr (NT == 1) {
        if (one_tile) {
          if (half) multiply_slab<F, NT, F::HALF, 1>(slot, scales, mins, has_mins, x, x_odd, acc);
          else multiply_slab<F, NT, false, 1>(slot, scales, mins, has_mins, x, x_odd, acc);
        } else if (half) {
          multiply_slab<F, NT, F::HALF>(slot, scales, mins, has_mins, x, x_odd, acc);
        } else {
          multiply_slab<F, NT>(slot, scales, mins, has_mins, x, x_odd, acc);
        }
      } else {
        multiply_slab<F, NT>(slot, scales, mins, has_mins, x, x_odd, acc);
      }
      sync_warp();
      load.issue_weights(items, not_uniform(slot), policy);
      if constexpr (!NORM) load.issue_x(p, items, slot + x_offset);
      load.next(p, items, warp, warps, slabs);
      cp_async_commit();
      slot += p.slot_bytes;
      if (slot == ring + S * p.slot_bytes) slot = ring;
    }

    // The warps' sums meet; the other half is free again once everybody has come here a second time.
    const u32 half = totals + turn * warps * p.x_rows * SUM_PITCH * 4;
    const u32 mine = half + warp * p.x_rows * SUM_PITCH * 4;
#pragma unroll
    for (int nt = 0; nt < NT; nt++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int token = 8 * nt + 2 * t + i;
        if (token < item.count)
#pragma unroll
          for (int mt = 0; mt < MT; mt++) {
            const u32 a = mine + (token * SUM_PITCH + mt * 16 + g) * 4;
            sts_float(a, acc[mt][nt][i]);
            sts_float(a + 32, acc[mt][nt][2 + i]);
          }
      }
    sync_block();
    for (int e = first, i = 0; e < item.valid * item.count; e += block_dim(), i++) {
      const int token = e / item.valid, r = e - token * item.valid;
      if (i > 0) extras.load<F>(p, scale_base, item.token + token, item.row + r);
      float sum = 0, up = 0;
      const u32 a = half + (token * SUM_PITCH + r) * 4;
#pragma unroll
      for (int w = 0; w < 8; w++)
        if (w < warps) {
          sum += lds_float(a + w * p.x_rows * SUM_PITCH * 4);
          if (p.up_offset) up += lds_float(a + w * p.x_rows * SUM_PITCH * 4 + 64);
        }
      if constexpr (NORM && F::HALF) {
        const float lift = lds_float(lifts + token * 4);
        sum = mul_(sum, lift), up = mul_(up, lift);
      }
      extras.store(p, item.token + token, item.row + r, sum, up);
    }
  }
  cp_async_wait<0>();
}

// ---- panel ----
// Grid: row tiles, splits of K, tiles of 8·NT tokens.
template <class F, int NT, int S> DEVICE void panel(const SkinnyParams &p) {
  const int lane = lane_id(), g = lane >> 2, t = lane & 3, warp = warp_id();
  const u32 base = smem_address(dynamic_shared);
  const bool has_mins = F::SCALING == Scaling::Group && p.mins != nullptr;
  constexpr int X_BYTES = 8 * NT * 2 * F::KB;
  constexpr int PIECES = F::KB / 8;
  const int warp_bytes = SLAB_BYTES + ((32 * F::SCALE_BYTES * (has_mins ? 2 : 1) + 127) & ~127);
  const int stage_bytes = PANEL_WARPS * warp_bytes + X_BYTES;
  start_next();

  const int slabs = ((int)p.row_bytes + 127) / 128, split = bid_y();
  const int first = (int)((i64)slabs * split / p.splits), last = (int)((i64)slabs * (split + 1) / p.splits), count = last - first;
  const int token0 = bid_z() * 8 * NT, tokens = min_(8 * NT, p.tokens - token0);
  const int tile_rows = p.up_offset ? PANEL_ROWS / 2 : PANEL_ROWS, row0 = bid_x() * tile_rows;
  const int warp_row = row0 + warp * (p.up_offset ? 16 : 32), valid = p.rows - warp_row;
  SlabSource source;
  source.set<F>(p, p.weights, p.scales, p.mins, warp_row, p.up_offset ? p.up_offset : 16, valid, p.up_offset ? valid : valid - 16);

  // Blocks begin at different slabs: all of them asking for the same few lines of x at once would queue up before one slice of L2.
  const int turn = count > 0 ? (int)(bid_x() * 11 % count) : 0;
  auto slab_of = [&](int i) { return first + (i + turn < count ? i + turn : i + turn - count); };
  auto issue_weights = [&](int i, int stage) {
    const u32 to = base + stage * stage_bytes + warp * warp_bytes;
    if (i < count) source.issue<F, false>(to, to + SLAB_BYTES, to + SLAB_BYTES + 32 * F::SCALE_BYTES, slab_of(i), 0);
  };
  auto issue_x = [&](int i, int stage) {
    const u32 to = base + stage * stage_bytes + PANEL_WARPS * warp_bytes;
    if (i < count)
#pragma unroll
      for (int c = 0; c < 8 * NT * PIECES / (32 * PANEL_WARPS); c++) {
        const int n = c * (32 * PANEL_WARPS) + tid(), token = n / PIECES;
        if (token < tokens) copy_x<F>(p, to, token, token0 + token, slab_of(i), n % PIECES);
      }
  };

#pragma unroll 1
  for (int s = 0; s < S - 1; s++) issue_weights(s, s);
  wait_previous();
#pragma unroll 1
  for (int s = 0; s < S - 1; s++) {
    issue_x(s, s);
    cp_async_commit();
  }

  float acc[MT][NT][4];
  int x_odd[NT];
#pragma unroll
  for (int nt = 0; nt < NT; nt++) {
    x_odd[nt] = (g & 1) * 5;
#pragma unroll
    for (int mt = 0; mt < MT; mt++)
#pragma unroll
      for (int i = 0; i < 4; i++) acc[mt][nt][i] = 0;
  }
  int stage = 0, free_stage = S - 1;
  for (int i = 0; i < count; i++) {
    cp_async_wait<S - 2>();
    sync_block();
    issue_weights(i + S - 1, free_stage);
    issue_x(i + S - 1, free_stage);
    cp_async_commit();
    const u32 from = base + stage * stage_bytes, w = from + warp * warp_bytes;
    u32 x[NT];
#pragma unroll
    for (int nt = 0; nt < NT; nt++) x[nt] = from + PANEL_WARPS * warp_bytes + (8 * nt + g) * (2 * F::KB);
    multiply_slab<F, NT>(w, w + SLAB_BYTES, w + SLAB_BYTES + 32 * F::SCALE_BYTES, has_mins, x, x_odd, acc);
    stage = stage + 1 == S ? 0 : stage + 1;
    free_stage = free_stage + 1 == S ? 0 : free_stage + 1;
  }
  cp_async_wait<0>();
  sync_block();

  if (p.splits > 1) {
    // Every range writes its sums; the block that comes last adds them up, ranges in order.
    const int tile = bid_z() * grid_x() + bid_x();
    float4v *all = (float4v *)p.partials + (i64)tile * p.splits * (MT * NT * 32 * PANEL_WARPS) + tid();
#pragma unroll
    for (int mt = 0; mt < MT; mt++)
#pragma unroll
      for (int nt = 0; nt < NT; nt++)
        all[(split * MT * NT + mt * NT + nt) * (32 * PANEL_WARPS)] = {acc[mt][nt][0], acc[mt][nt][1], acc[mt][nt][2], acc[mt][nt][3]};
    fence_device();
    sync_block();
    if (tid() == 0) sts_int(base, atomic_add(p.counters + tile, 1));
    sync_block();
    const int arrived = lds_int(base);
    sync_block();
    if (arrived != p.splits - 1) return;
    fence_device();
    if (tid() == 0) p.counters[tile] = 0;
#pragma unroll
    for (int mt = 0; mt < MT; mt++)
#pragma unroll
      for (int nt = 0; nt < NT; nt++)
#pragma unroll
        for (int i = 0; i < 4; i++) acc[mt][nt][i] = 0;
#pragma unroll 1
    for (int s = 0; s < p.splits; s++)
#pragma unroll
      for (int mt = 0; mt < MT; mt++)
#pragma unroll
        for (int nt = 0; nt < NT; nt++) {
          float4v v;
          asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
              : "l"(all + (s * MT * NT + mt * NT + nt) * (32 * PANEL_WARPS)) : "memory");
          acc[mt][nt][0] += v.x, acc[mt][nt][1] += v.y, acc[mt][nt][2] += v.z, acc[mt][nt][3] += v.w;
        }
  }

  // Through shared memory, so that rows of y are written in one piece.
#pragma unroll
  for (int mt = 0; mt < MT; mt++) {
    const int r = g + (p.up_offset ? mt * (PANEL_ROWS / 2) + warp * 16 : warp * 32 + mt * 16);
#pragma unroll
    for (int nt = 0; nt < NT; nt++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const u32 a = base + ((8 * nt + 2 * t + i) * PANEL_PITCH + r) * 4;
        sts_float(a, acc[mt][nt][i]);
        sts_float(a + 32, acc[mt][nt][2 + i]);
      }
  }
  sync_block();
  const int shift = p.up_offset ? 6 : 7;
#pragma unroll 1
  for (int e = tid(); e < tokens << shift; e += 32 * PANEL_WARPS) {
    const int token = e >> shift, r = e & ((1 << shift) - 1);
    if (row0 + r >= p.rows) continue;
    const u32 a = base + (token * PANEL_PITCH + r) * 4;
    Extras extras;
    extras.load<F>(p, p.scales, token0 + token, row0 + r);
    extras.store(p, token0 + token, row0 + r, lds_float(a), p.up_offset ? lds_float(a + PANEL_ROWS / 2 * 4) : 0.f);
  }
}

#define STREAM(name, format, blocks)                                                                          \
  KERNEL((256, blocks)) stream_##name##_8(const SkinnyParams p) { stream_rows<format, 1, false>(p); }           \
  KERNEL((256, blocks)) stream_##name##_16(const SkinnyParams p) { stream_rows<format, 2, false>(p); }          \
  KERNEL((256, 1)) grouped_norm_##name(const SkinnyParams p) { stream_rows<format, 1, true, format::STAGES, true>(p); }  \
  KERNEL((256, 1)) stream_norm_##name(const SkinnyParams p) { stream_rows<format, 1, false, format::STAGES, true>(p); } \
  KERNEL((256, blocks)) grouped_##name##_8(const SkinnyParams p) { stream_rows<format, 1, true>(p); }           \
  KERNEL((256, blocks)) grouped_##name##_16(const SkinnyParams p) { stream_rows<format, 2, true>(p); }
#define PANEL(name, format, tokens, stages) \
  KERNEL((128, 2)) panel_##name##_##tokens(const SkinnyParams p) { panel<format, tokens / 8, stages>(p); }
