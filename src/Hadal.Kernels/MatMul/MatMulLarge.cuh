// y[M,N] = x[M,K]·Wᵀ for many rows on Hopper. One block per multiprocessor walks over tiles of 128 rows x BN columns: a producer thread keeps a
// ring of stages (128 bytes of K each) filled by tensor copies, two warpgroups of 64 rows each multiply from it.
// A row's result depends on K and, where K is split over a cluster, on the number of parts: not on the tile's width (measured: the same bits),
// the rows beside it, the grid or the schedule.
#pragma once
#include "wgmma.cuh"

struct alignas(64) TensorMap { u64 words[16]; };

// Mirrored by MatMulLargeCuda.Args.
struct MatMulLargeParams {
  TensorMap x_map;           // [M, K], box 128 x 128 bytes
  TensorMap w_map;           // [N, K] (gate rows, then up rows), box BN/2 x 128 bytes
  void *y;                   // [M, N] (gate-up: [M, N/2])
  const float *bias;         // [N] or null
  const float *residual;     // [M, N] or null
  const float *x_scales;     // [M], or [M, K/128] by the two strides
  const float *w_scales;     // [N], or [N/128, K/128] with w_scale_stride
  const int *tiles;          // by expert: {expert, first row} pairs
  const int *num_tiles;      // by expert: [1]
  const int *expert_offsets; // by expert: [E + 1]
  i64 y_stride;
  i64 residual_stride;
  i64 x_scale_row_stride;
  i64 x_scale_block_stride;
  int w_scale_stride;
  int m, n, k;
  int group;                 // Row tiles (pairs, in clusters) walked before the next column of tiles.
  int expert_scale_stride;   // by expert: floats of w_scales between experts
};

#if HADAL_SM90
enum Output { kBf16, kF32, kSilu };
enum Work { kDense, kExperts, kSplit }; // kSplit: the blocks of a cluster take a part of K each of one tile
constexpr int kLongK = 64; // Stages.
enum Promotion { kNone = 0, kBlocks = -1 }; // n > 0: into registers every n stages, scales at the end; kBlocks: every stage, with its scales

template <class F, int BN> struct LargeShape {
  static constexpr int stage_bytes = (128 + BN) * 128;
  static constexpr int fit = (232448 - 2048) / stage_bytes;
  static constexpr int stages = fit > 8 ? 8 : fit;
  static constexpr int stage_k = 128 / F::bytes;
};

// Four words of a quad's lanes, turned: lane t comes with column pairs t of groups 0..3 and leaves with group t's four pairs.
DEVICE uint4v quad_turn(u32 v0, u32 v1, u32 v2, u32 v3) {
  bool upper = (tid() & 2) != 0, odd = (tid() & 1) != 0;
  u32 x0 = shfl_xor(upper ? v0 : v2, 2), x1 = shfl_xor(upper ? v1 : v3, 2);
  u32 low0 = upper ? x0 : v0, low1 = upper ? x1 : v1, high0 = upper ? v2 : x0, high1 = upper ? v3 : x1;
  u32 y0 = shfl_xor(odd ? low0 : low1, 1), y1 = shfl_xor(odd ? high0 : high1, 1);
  u32 k0 = odd ? low1 : low0, k1 = odd ? high1 : high0;
  return {odd ? y0 : k0, odd ? k0 : y0, odd ? y1 : k1, odd ? k1 : y1};
}

DEVICE float silu_mul(float gate, float up) { return gate * rcp_(1.0f + exp_(-gate)) * up; }

// A tile's sums to y, 32 columns at a time: loads of the next 32 cannot pass the stores of these, so that few registers hold them.
// SPLIT: `parts` blocks hold sums of the tile in their shared memory at `sums`; this one adds up and writes every parts-th 32 columns.
// ODD: columns are no multiple of 8.
template <class F, int BN, int OUT, int PROMOTE, bool SPLIT, bool ODD>
DEVICE void finish_tile(const MatMulLargeParams &p, const float *w_scales, int row, int row_end, int column, int columns, typename F::sum (&acc)[BN / 2], u32 sums, int part, int parts) {
  constexpr int kChunks = OUT == kSilu ? BN / 64 : BN / 32, kHalves = OUT == kSilu ? 2 : 1;
  const int lane = lane_id() & 3;
  const bool live[2] = {row < row_end, row + 8 < row_end};
  float x_scale[2] = {1, 1};
  if constexpr (F::bytes == 1 && PROMOTE != kBlocks) {
#pragma unroll
    for (int half = 0; half < 2; half++) x_scale[half] = live[half] ? p.x_scales[(row + half * 8) * p.x_scale_row_stride] : 0;
  }
#pragma unroll
  for (int chunk = 0; chunk < kChunks; chunk++) {
    const int at = column + chunk * 32;
    if ((SPLIT && chunk % parts != part) || at >= columns) continue;
    float v[kHalves][16];
#pragma unroll
    for (int h = 0; h < kHalves; h++) {
      typename F::sum own[16];
      if constexpr (SPLIT) {
#pragma unroll
        for (int i = 0; i < 16; i++) own[i] = 0;
#pragma unroll 1
        for (int other = 0; other < parts; other++) {
          u32 from = cluster_address(sums, other);
#pragma unroll
          for (int i = 0; i < 4; i++) {
            typename F::sum add[4];
            load_cluster(add, from + (h * (BN / 16) + chunk * 4 + i) * 4096);
#pragma unroll
            for (int e = 0; e < 4; e++) own[i * 4 + e] += add[e];
          }
        }
      } else {
#pragma unroll
        for (int i = 0; i < 16; i++) own[i] = acc[h * (BN / 4) + chunk * 16 + i];
      }
#pragma unroll
      for (int i = 0; i < 16; i++) v[h][i] = (float)own[i];
      // The numbers of two columns of group j; at the edge columns beyond it read those of the last.
      auto pair_of = [&](const float *numbers, int j) -> float2v {
        const float *from = numbers + (i64)h * (p.n / 2);
        if constexpr (ODD) return {from[min_(at + lane * 2 + j * 8, columns - 1)], from[min_(at + lane * 2 + j * 8 + 1, columns - 1)]};
        else return *(const float2v *)(from + lane * 2 + min_(at + j * 8, columns - 8));
      };
      if constexpr (F::bytes == 1 && PROMOTE != kBlocks) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          float2v w = pair_of(w_scales, j);
          v[h][j * 4] *= x_scale[0] * w.x;
          v[h][j * 4 + 1] *= x_scale[0] * w.y;
          v[h][j * 4 + 2] *= x_scale[1] * w.x;
          v[h][j * 4 + 3] *= x_scale[1] * w.y;
        }
      }
      if (p.bias) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          float2v b = pair_of(p.bias, j);
          v[h][j * 4] += b.x;
          v[h][j * 4 + 1] += b.y;
          v[h][j * 4 + 2] += b.x;
          v[h][j * 4 + 3] += b.y;
        }
      }
    }
    if constexpr (OUT == kSilu) {
#pragma unroll
      for (int i = 0; i < 16; i++) v[0][i] = silu_mul(v[0][i], v[1][i]);
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      if (!live[half]) continue;
      const i64 r = row + half * 8;
      if (OUT != kSilu && p.residual) {
        const float *from = p.residual + r * p.residual_stride;
#pragma unroll
        for (int j = 0; j < 4; j++) {
          float2v pair;
          if constexpr (ODD) pair = {from[min_(at + lane * 2 + j * 8, columns - 1)], from[min_(at + lane * 2 + j * 8 + 1, columns - 1)]};
          else pair = *(const float2v *)(from + lane * 2 + min_(at + j * 8, columns - 8));
          v[0][j * 4 + half * 2] += pair.x;
          v[0][j * 4 + half * 2 + 1] += pair.y;
        }
      }
      if constexpr (OUT == kF32) {
        float *to = (float *)p.y + r * p.y_stride + at + lane * 2;
#pragma unroll
        for (int j = 0; j < 4; j++) {
          float v0 = v[0][j * 4 + half * 2], v1 = v[0][j * 4 + half * 2 + 1];
          if constexpr (ODD) {
            if (at + lane * 2 + j * 8 < columns) to[j * 8] = v0;
            if (at + lane * 2 + j * 8 + 1 < columns) to[j * 8 + 1] = v1;
          } else {
            if (at + j * 8 < columns) *(float2v *)(to + j * 8) = {v0, v1};
          }
        }
      }
    }
    if constexpr (OUT != kF32) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        u32 w[4];
#pragma unroll
        for (int j = 0; j < 4; j++) w[j] = pack_bf16(v[0][j * 4 + half * 2], v[0][j * 4 + half * 2 + 1]);
        uint4v turned = quad_turn(w[0], w[1], w[2], w[3]);
        const int c = at + lane * 8;
        bf16 *to = (bf16 *)p.y + (row + half * 8) * p.y_stride + c;
        if (live[half] && c + (ODD ? 8 : 1) <= columns) {
          store16(to, turned);
        } else if (ODD && live[half]) {
          u32 words[4] = {turned.x, turned.y, turned.z, turned.w};
#pragma unroll
          for (int i = 0; i < 7; i++)
            if (c + i < columns) to[i] = (bf16)(words[i / 2] >> (i & 1) * 16);
        }
      }
    }
  }
}

template <class F, int BN, int OUT, int PROMOTE, int WORK, bool ODD> DEVICE void matmul_large(const MatMulLargeParams &p, u64 maps) {
  constexpr bool GROUPED = WORK == kExperts, SPLIT = WORK == kSplit;
  typedef LargeShape<F, BN> S;
  typedef typename F::sum Sum;
  constexpr int kStages = S::stages;
  extern __shared__ char shared[];
  u32 base = (smem_address(shared) + 1023) & ~1023u;
  u32 full = base + kStages * S::stage_bytes, empty = full + kStages * 8;
  u64 x_map = maps, w_map = maps + 128;

  const int part = SPLIT ? (int)cluster_rank() : 0, parts = SPLIT ? (int)cluster_size() : 1;
  if (tid() == 0) {
    prefetch_map(x_map);
    prefetch_map(w_map);
    for (int s = 0; s < kStages; s++) {
      barrier_init(full + s * 8, 1);
      barrier_init(empty + s * 8, 8);
    }
    barrier_init_fence();
  }
  sync_block();
  start_next();

  const int all_k = (p.k + S::stage_k - 1) / S::stage_k, first_k = all_k * part / parts, num_k = all_k * (part + 1) / parts - first_k;
  const int columns = OUT == kSilu ? p.n / 2 : p.n; // of y
  constexpr int kTileColumns = OUT == kSilu ? BN / 2 : BN;
  const int column_tiles = ceil_div(columns, kTileColumns);
  if (GROUPED) wait_previous(); // The tiles come from the kernel before.
  const int row_tiles = GROUPED ? p.num_tiles[0] : ceil_div(p.m, 128);
  const int units = row_tiles * column_tiles;
  const int first = bid_x() / parts, step = grid_x() / parts;
  const int group = p.group;

  auto place = [&](int unit, int &row_tile, int &column_tile) {
    int per = group * column_tiles, at = unit / per * group, left = row_tiles - at;
    int rows = left < group ? left : group, r = unit % per;
    row_tile = at + r % rows;
    column_tile = r / rows;
  };

  if (tid() < 128) {
    registers_down<40>();
    if (tid() == 0) {
      int s = 0;
      u32 phase = 1;
      bool waited = GROUPED;
      for (int unit = first; unit < units; unit += step) {
        int row_tile, column_tile;
        place(unit, row_tile, column_tile);
        int row, w_row = 0;
        if (GROUPED) {
          row = p.tiles[row_tile * 2 + 1];
          w_row = p.tiles[row_tile * 2] * p.n;
        } else {
          row = row_tile * 128;
        }
        int w_first = w_row + column_tile * kTileColumns;
        int w_second = OUT == kSilu ? w_row + p.n / 2 + column_tile * kTileColumns : w_first + BN / 2;
        auto load_w = [&](int stage, int column) {
          u32 to = base + stage * S::stage_bytes + 128 * 128, bar = full + stage * 8;
          tensor_load(to, w_map, column, w_first, bar);
          tensor_load(to + BN / 2 * 128, w_map, column, w_second, bar);
        };
        int k = 0;
        if (!waited) { // Weights do not come from the kernel before: the first ring of them needs no wait.
          int ahead = num_k < kStages ? num_k : kStages;
          for (int i = 0; i < ahead; i++) {
            barrier_expect(full + i * 8, S::stage_bytes);
            load_w(i, (first_k + i) * S::stage_k);
          }
          wait_previous();
          for (; k < ahead; k++) tensor_load(base + k * S::stage_bytes, x_map, (first_k + k) * S::stage_k, row, full + k * 8);
          waited = true;
          s = ahead;
          if (s == kStages) { s = 0; phase ^= 1; }
        }
        for (; k < num_k; k++) {
          barrier_wait(empty + s * 8, phase);
          barrier_expect(full + s * 8, S::stage_bytes);
          tensor_load(base + s * S::stage_bytes, x_map, (first_k + k) * S::stage_k, row, full + s * 8);
          load_w(s, (first_k + k) * S::stage_k);
          if (++s == kStages) { s = 0; phase ^= 1; }
        }
      }
    }
    if (SPLIT) {
      sync_warp();
      cluster_sync(); // The sums lie there.
    }
  } else {
    registers_up<232>();
    wait_previous();
    int warp = (tid() >> 5) - 4, lane = lane_id(), half = warp >> 2;
    int s = 0;
    u32 phase = 0;
    // Where K is short, the second warpgroup begins two stages behind the first and stays behind: while one writes its tile out, the other has
    // the tensor cores. Where K is long there is little to hide, and the stages between the two are missed in the ring.
    int lead = num_k > kLongK ? -1 : min_(2, num_k) - 1;
    if (lead >= 0 && half == 1 && first < units) sync_named(2, 256);
    auto led = [&](int k) {
      if (k == lead) {
        if (half == 0) arrive_named(2);
        lead = -1;
      }
    };
    auto release = [&](int stage) {
      if (lane == 0) barrier_arrive(empty + stage * 8);
    };
    for (int unit = first; unit < units; unit += step) {
      int row_tile, column_tile;
      place(unit, row_tile, column_tile);
      int row, row_end, expert = 0;
      if (GROUPED) {
        expert = p.tiles[row_tile * 2];
        row = p.tiles[row_tile * 2 + 1];
        row_end = p.expert_offsets[expert + 1];
      } else {
        row = row_tile * 128;
        row_end = p.m;
      }
      row += half * 64 + (warp & 3) * 16 + lane / 4;
      const int column = column_tile * kTileColumns; // of y
      Sum acc[BN / 2];
      if constexpr (PROMOTE == kNone) {
        int before = 0;
        for (int k = 0; k < num_k; k++) {
          barrier_wait(full + s * 8, phase);
          u32 at = base + s * S::stage_bytes;
          Wgmma<F, BN>::stage(acc, tile_descriptor(at + half * 8192), tile_descriptor(at + 128 * 128), k);
          led(k);
          if (k > 0) {
            wgmma_wait<1>();
            release(before);
          }
          before = s;
          if (++s == kStages) { s = 0; phase ^= 1; }
        }
        Wgmma<F, BN>::drain(acc);
        release(before);
      } else {
        const float *w_scales = p.w_scales + (GROUPED ? (i64)expert * p.expert_scale_stride : 0);
        float fresh[BN / 2];
#pragma unroll
        for (int i = 0; i < BN / 2; i++) acc[i] = 0;
        if constexpr (PROMOTE == kBlocks) {
          constexpr int G = BN / 32;
          const float *ws[G];
          float wn[G], xn0, xn1;
          int last_block = (p.n - 1) / 128;
#pragma unroll
          for (int g = 0; g < G; g++) {
            int c = OUT == kSilu ? (g < G / 2 ? column + g * 32 : p.n / 2 + column + (g - G / 2) * 32) : column + g * 32;
            ws[g] = w_scales + (i64)min_(c / 128, last_block) * p.w_scale_stride + first_k;
            wn[g] = ws[g][0];
          }
          const float *xs0 = p.x_scales + min_(row, p.m - 1) * p.x_scale_row_stride, *xs1 = p.x_scales + min_(row + 8, p.m - 1) * p.x_scale_row_stride;
          xs0 += first_k * p.x_scale_block_stride;
          xs1 += first_k * p.x_scale_block_stride;
          xn0 = xs0[0];
          xn1 = xs1[0];
          for (int k = 0; k < num_k; k++) {
            barrier_wait(full + s * 8, phase);
            u32 at = base + s * S::stage_bytes;
            Wgmma<F, BN>::stage(fresh, tile_descriptor(at + half * 8192), tile_descriptor(at + 128 * 128), 0);
            led(k);
            float w[G], x0 = xn0, x1 = xn1;
            int next = k + 1 < num_k ? k + 1 : k;
#pragma unroll
            for (int g = 0; g < G; g++) {
              w[g] = wn[g];
              wn[g] = ws[g][next];
            }
            xn0 = xs0[next * p.x_scale_block_stride];
            xn1 = xs1[next * p.x_scale_block_stride];
            Wgmma<F, BN>::drain(fresh);
            release(s);
#pragma unroll
            for (int g = 0; g < G; g++) {
              float f0 = w[g] * x0, f1 = w[g] * x1;
#pragma unroll
              for (int i = g * 16; i < g * 16 + 16; i++) acc[i] = fma_(fresh[i], (i & 2) ? f1 : f0, acc[i]);
            }
            if (++s == kStages) { s = 0; phase ^= 1; }
          }
        } else {
          int before = 0, inside = 0;
          for (int k = 0; k < num_k; k++) {
            barrier_wait(full + s * 8, phase);
            u32 at = base + s * S::stage_bytes;
            Wgmma<F, BN>::stage(fresh, tile_descriptor(at + half * 8192), tile_descriptor(at + 128 * 128), inside);
            led(k);
            if (inside > 0) {
              wgmma_wait<1>();
              release(before);
            }
            before = s;
            if (++inside == PROMOTE || k + 1 == num_k) {
              Wgmma<F, BN>::drain(fresh);
              release(s);
              inside = 0;
#pragma unroll
              for (int i = 0; i < BN / 2; i++) acc[i] += fresh[i];
            }
            if (++s == kStages) { s = 0; phase ^= 1; }
          }
        }
      }

      if constexpr (SPLIT) {
        // The ring has been read to its end, by both warpgroups, and nothing more comes into it: it takes the sums.
        sync_named(1, 256);
#pragma unroll
        for (int i = 0; i < BN / 8; i++) store_shared(base + (i * 256 + tid() - 128) * 16, acc[i * 4], acc[i * 4 + 1], acc[i * 4 + 2], acc[i * 4 + 3]);
        cluster_sync();
      }
      const float *row_scales = p.w_scales + (GROUPED ? (i64)expert * p.expert_scale_stride : 0);
      finish_tile<F, BN, OUT, PROMOTE, SPLIT, ODD>(p, row_scales, row, row_end, column, columns, acc, base + (tid() - 128) * 16, part, parts);
    }
  }
  if (SPLIT) {
    sync_warp();
    cluster_sync(); // No block goes while another may still read its sums.
  }
}

// A parameter's address in parameter space, so that no copy is made: tensor maps must lie there.
#define MATMUL_LARGE_ANY(NAME, F, BN, OUT, PROMOTE, WORK, ODD) \
  KERNEL((384, 1)) NAME(const MatMulLargeParams p) { \
    u64 maps; \
    asm("{\n.reg .b64 t;\nmov.b64 t, " #NAME "_param_0;\ncvta.param.u64 %0, t;\n}" : "=l"(maps)); \
    matmul_large<F, BN, OUT, PROMOTE, WORK, ODD>(p, maps); \
  }
#define MATMUL_LARGE(NAME, F, BN, OUT, PROMOTE, WORK) MATMUL_LARGE_ANY(NAME, F, BN, OUT, PROMOTE, WORK, false)
#endif
