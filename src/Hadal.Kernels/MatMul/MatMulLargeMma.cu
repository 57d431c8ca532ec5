// y[M,N] = x[M,K]·Wᵀ for many rows by mma.sync, on every card from sm_80: tiles of 128 x 128, eight warps of 64 x 32, 64 bytes of K a stage,
// four stages filled by cp.async. Rows of a stage lie in 64 bytes; piece c of row r lies at c ^ (r / 2 % 4), so that the eight rows of an
// ldmatrix meet 32 different banks. A row's result does not depend on M or on the rows beside it.
#include "hadal.cuh"

// Mirrored by MatMulLargeCuda.MmaArgs.
struct MatMulMmaParams {
  const void *x;             // [M, K]
  const void *w;             // [N, K] (gate rows, then up rows)
  void *y;                   // [M, N] (gate-up: [M, N/2])
  const float *bias;         // [N] or null
  const float *residual;     // [M, N] or null
  const float *x_scales;     // int8: [M]
  const float *w_scales;     // int8: [N]
  const int *tiles;          // by expert: {expert, first row} pairs
  const int *num_tiles;      // by expert: [1]
  const int *expert_offsets; // by expert: [E + 1]
  i64 x_row_bytes, w_row_bytes;
  i64 expert_bytes;          // by expert: of W
  i64 y_stride, residual_stride, x_scale_stride;
  int expert_scale_stride;
  int m, n, k;
  int group;                 // Row tiles walked before the next column of tiles.
};

enum Output { kBf16, kF32, kSilu };

struct MmaBf16 {
  typedef float Sum;
  static constexpr int bytes = 2;
  DEVICE void mma(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) { mma_bf16(c, a0, a1, a2, a3, b0, b1); }
};
struct MmaS8 {
  typedef int Sum;
  static constexpr int bytes = 1;
  DEVICE void mma(int (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) { mma_s8(c, a0, a1, a2, a3, b0, b1); }
};

constexpr int kStages = 4, kStageBytes = 256 * 64;

template <class F, int OUT, bool GROUPED> DEVICE void matmul_mma(const MatMulMmaParams &p) {
  extern __shared__ char shared[];
  u32 base = smem_address(shared);
  wait_previous();
  start_next();
  const int columns = OUT == kSilu ? p.n / 2 : p.n;
  constexpr int kTileColumns = OUT == kSilu ? 64 : 128;
  const int column_tiles = ceil_div(columns, kTileColumns);
  const int row_tiles = GROUPED ? p.num_tiles[0] : ceil_div(p.m, 128);
  const int units = row_tiles * column_tiles;
  const int k_bytes = p.k * F::bytes, num_k = ceil_div(k_bytes, 64);
  const int lane = lane_id(), warp = warp_id(), warp_m = warp & 1, warp_n = warp >> 1;

  for (int unit = bid_x(); unit < units; unit += grid_x()) {
    int per = p.group * column_tiles, at = unit / per * p.group, left = row_tiles - at;
    int rows = left < p.group ? left : p.group;
    int row_tile = at + unit % per % rows, column_tile = unit % per / rows;
    int expert = 0, row0 = row_tile * 128, row_end = p.m;
    if (GROUPED) {
      expert = p.tiles[row_tile * 2];
      row0 = p.tiles[row_tile * 2 + 1];
      row_end = p.expert_offsets[expert + 1];
    }
    const int column0 = column_tile * kTileColumns;
    const char *x = (const char *)p.x, *w = (const char *)p.w + (GROUPED ? expert * p.expert_bytes : 0);

    // A thread brings pieces (t & 3) of rows t / 4 and t / 4 + 64 of x and of W. Of the tile's 128 rows of W a warp of columns takes 32; for
    // gate-up they are 16 gate rows and the 16 up rows of the same columns.
    const int piece = tid() & 3, load_row = tid() >> 2;
    const char *x_from[2], *w_from[2];
    u32 to[2];
    bool x_live[2], w_live[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      int r = load_row + i * 64;
      x_live[i] = row0 + r < row_end;
      x_from[i] = x + (i64)(x_live[i] ? row0 + r : 0) * p.x_row_bytes + piece * 16;
      int c = OUT == kSilu ? column0 + (r >> 5) * 16 + (r & 15) : column0 + r;
      w_live[i] = c < columns;
      if (OUT == kSilu && (r & 16)) c += columns;
      w_from[i] = w + (i64)(w_live[i] ? c : 0) * p.w_row_bytes + piece * 16;
      to[i] = r * 64 + ((piece ^ (r >> 1 & 3)) * 16);
    }
    auto load = [&](int k) {
      u32 stage = base + (k % kStages) * kStageBytes;
      int rest = k_bytes - k * 64 - piece * 16;
      int bytes = rest >= 16 ? 16 : rest > 0 ? rest : 0;
#pragma unroll
      for (int i = 0; i < 2; i++) {
        // Past the end of K nothing is read, and the address stays inside.
        cp_async16(stage + to[i], x_from[i] + (bytes ? k * 64 : -piece * 16), x_live[i] ? bytes : 0);
        cp_async16(stage + 128 * 64 + to[i], w_from[i] + (bytes ? k * 64 : -piece * 16), w_live[i] ? bytes : 0);
      }
    };

    typename F::Sum acc[4][4][4] = {};
    // ldmatrix: lanes 0..15 name rows 0..15 of the first 16 bytes, lanes 16..31 of the second; for W lanes 8..15 name the second 16 bytes.
    const int a_row = warp_m * 64 + (lane & 15), a_piece = lane >> 4;
    const int b_row = warp_n * 32 + (lane & 7) + (lane >> 4) * 8, b_piece = lane >> 3 & 1;
    sync_block(); // The tile before is read to its end.
#pragma unroll
    for (int s = 0; s < kStages - 1; s++) {
      if (s < num_k) load(s);
      cp_async_commit();
    }
    for (int k = 0; k < num_k; k++) {
      cp_async_wait<kStages - 2>();
      sync_block();
      if (k + kStages - 1 < num_k) load(k + kStages - 1);
      cp_async_commit();
      u32 stage = base + (k % kStages) * kStageBytes;
#pragma unroll
      for (int half = 0; half < 2; half++) {
        u32 a[4][4], b[4][2];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          int r = a_row + i * 16;
          ldmatrix4(a[i][0], a[i][1], a[i][2], a[i][3], stage + r * 64 + (((half * 2 + a_piece) ^ (r >> 1 & 3)) * 16));
        }
#pragma unroll
        for (int j = 0; j < 2; j++) {
          int r = b_row + j * 16;
          ldmatrix4(b[j * 2][0], b[j * 2][1], b[j * 2 + 1][0], b[j * 2 + 1][1], stage + 128 * 64 + r * 64 + (((half * 2 + b_piece) ^ (r >> 1 & 3)) * 16));
        }
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
          for (int j = 0; j < 4; j++) F::mma(acc[i][j], a[i][0], a[i][1], a[i][2], a[i][3], b[j][0], b[j][1]);
      }
    }
    cp_async_wait<0>();

    const float *w_scales = p.w_scales + (GROUPED ? (i64)expert * p.expert_scale_stride : 0);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        int r = row0 + warp_m * 64 + i * 16 + half * 8 + lane / 4;
        if (r < row_end) {
          float v[4][2];
          int c0 = column0 + warp_n * (OUT == kSilu ? 16 : 32) + (lane & 3) * 2;
          // W's row of element e of group j, inside W at the edge too.
          auto w_row = [&](int j, int e) {
            int c = min_(c0 + (OUT == kSilu ? j & 1 : j) * 8 + e, columns - 1);
            return OUT == kSilu && j >= 2 ? columns + c : c;
          };
#pragma unroll
          for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 2; e++) v[j][e] = (float)acc[i][j][half * 2 + e];
          if (F::bytes == 1) {
            float x_scale = p.x_scales[r * p.x_scale_stride];
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
              for (int e = 0; e < 2; e++) v[j][e] *= x_scale * w_scales[w_row(j, e)];
          }
          if (p.bias) {
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
              for (int e = 0; e < 2; e++) v[j][e] += p.bias[w_row(j, e)];
          }
          if (OUT != kSilu && p.residual) {
            const float *from = p.residual + r * p.residual_stride;
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
              for (int e = 0; e < 2; e++) v[j][e] += from[w_row(j, e)];
          }
#pragma unroll
          for (int j = 0; j < (OUT == kSilu ? 2 : 4); j++) {
            int c = c0 + j * 8;
            float v0 = v[j][0], v1 = v[j][1];
            if constexpr (OUT == kSilu) {
              v0 = v0 * rcp_(1.0f + exp_(-v0)) * v[j + 2][0];
              v1 = v1 * rcp_(1.0f + exp_(-v1)) * v[j + 2][1];
            }
            if constexpr (OUT == kF32) {
              float *out = (float *)p.y + r * p.y_stride + c;
              if (c + 1 < columns) *(float2v *)out = {v0, v1};
              else if (c < columns) *out = v0;
            } else {
              bf16 *out = (bf16 *)p.y + r * p.y_stride + c;
              if (c + 1 < columns) *(u32 *)out = pack_bf16(v0, v1);
              else if (c < columns) *out = to_bf16(v0);
            }
          }
        }
      }
  }
}

#define MATMUL_MMA(NAME, F, OUT, GROUPED) \
  KERNEL((256, 2)) NAME(const MatMulMmaParams p) { matmul_mma<F, OUT, GROUPED>(p); }
#define MATMUL_MMA_FORMAT(NAME, F) \
  MATMUL_MMA(matmul_mma_##NAME##_bf16, F, kBf16, false) \
  MATMUL_MMA(matmul_mma_##NAME##_f32, F, kF32, false) \
  MATMUL_MMA(matmul_mma_##NAME##_silu, F, kSilu, false) \
  MATMUL_MMA(matmul_mma_##NAME##_experts_f32, F, kF32, true) \
  MATMUL_MMA(matmul_mma_##NAME##_experts_bf16, F, kBf16, true) \
  MATMUL_MMA(matmul_mma_##NAME##_experts_silu, F, kSilu, true)
MATMUL_MMA_FORMAT(bf16, MmaBf16)
MATMUL_MMA_FORMAT(s8, MmaS8)
