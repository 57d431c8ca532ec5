// Queries into the latent's space and outputs back out of it: one product a head with its part of kv_b [H·(Dn+Dv), C].
// Sums run in one order, whatever the tile: absorb along all of Dn, expand along 128 of C at a time, which are then added up.
// So a row's result does not depend on the other rows.
#include "attention.cuh"

struct Args {
  const bf16 *x;       // absorb: q [T, H·(Dn+R)]; expand: oLatent [T, H·C]
  const bf16 *kv_b;
  bf16 *y;             // absorb: qLatent [T, H·(C+R)]; expand: o [T, H·Dv]
  int num_tokens;
  int x_stride;
  int y_stride;
  int weight_stride;   // elements from one row of kv_b to the next
  int rank;            // C
  int rope;            // R
  int nope;            // Dn
  int value;           // Dv
};

// Tiles of 64 tokens × BN columns × 64 of the sum; four warps of 16 tokens.
template <int BN, bool ABSORB> DEVICE void heads(const Args &p) {
  constexpr int STAGES = 3;
  constexpr int X_BYTES = 64 * 128;
  // Absorb: rows of the sum, BN columns (64); expand: BN rows of 64 of the sum.
  constexpr int W_ROWS = ABSORB ? 64 : BN;
  constexpr int W_BYTES = W_ROWS * 128;
  static_assert(!ABSORB || BN == 64, "a row of the tile is 128 bytes");

  const int warp = warp_id(), lane = lane_id(), g = lane >> 2, t = lane & 3;
  const int n0 = bid_x() * BN, head = bid_y(), token0 = bid_z() * 64;
  const int depth = ABSORB ? p.nope : p.rank, width = ABSORB ? p.rank : p.value;
  const int x_head = ABSORB ? p.nope + p.rope : p.rank, y_head = ABSORB ? p.rank + p.rope : p.value;
  const bf16 *weights = p.kv_b + (i64)(head * (p.nope + p.value) + (ABSORB ? 0 : p.nope)) * p.weight_stride;
  const u32 base = smem_address(smem);
  const int steps = ceil_div(depth, 64);

  auto issue_weights = [&](int step) {
    for (int index = tid(); index < W_ROWS * 8; index += 128) {
      const int row = index / 8, chunk = index % 8;
      const int at_row = ABSORB ? step * 64 + row : n0 + row, at_column = (ABSORB ? n0 : step * 64) + chunk * 8;
      const bool exists = step < steps && at_row < (ABSORB ? depth : width) && at_column < (ABSORB ? width : depth);
      cp_async16(base + STAGES * X_BYTES + step % STAGES * W_BYTES + tile_offset<8>(row, chunk), exists ? weights + (i64)at_row * p.weight_stride + at_column : weights, exists ? 16 : 0);
    }
  };
  auto issue_x = [&](int step) {
    for (int index = tid(); index < 64 * 8; index += 128) {
      const int row = index / 8, chunk = index % 8, column = step * 64 + chunk * 8;
      const bool exists = step < steps && token0 + row < p.num_tokens && column < depth;
      cp_async16(base + step % STAGES * X_BYTES + tile_offset<8>(row, chunk), exists ? p.x + (i64)(token0 + row) * p.x_stride + head * x_head + column : p.x, exists ? 16 : 0);
    }
  };
  // Weights do not come from the kernel before.
  for (int step = 0; step < STAGES - 1; step++) issue_weights(step);
  wait_previous();
  start_next();
  for (int step = 0; step < STAGES - 1; step++) {
    issue_x(step);
    cp_async_commit();
  }
  if (ABSORB && bid_x() == 0) { // The rotated part moves along.
    const int chunks = p.rope / 8;
    for (int index = tid(); index < 64 * chunks; index += 128) {
      const int row = index / chunks, chunk = index % chunks;
      if (token0 + row < p.num_tokens) {
        store16(p.y + (i64)(token0 + row) * p.y_stride + head * y_head + p.rank + chunk * 8, load16(p.x + (i64)(token0 + row) * p.x_stride + head * x_head + p.nope + chunk * 8));
      }
    }
  }

  float acc[BN / 8][4];
#pragma unroll
  for (int n = 0; n < BN / 8; n++) acc[n][0] = acc[n][1] = acc[n][2] = acc[n][3] = 0;
  float sums[ABSORB ? 1 : BN / 8][4] = {};
  const bool active = token0 + warp * 16 < p.num_tokens;
  for (int step = 0; step < steps; step++) {
    cp_async_wait<STAGES - 2>();
    sync_block();
    issue_weights(step + STAGES - 1);
    issue_x(step + STAGES - 1);
    cp_async_commit();
    if (!active) continue;
    const u32 x_tile = base + step % STAGES * X_BYTES, w_tile = base + STAGES * X_BYTES + step % STAGES * W_BYTES;
#pragma unroll
    for (int k = 0; k < 4; k++) {
      u32 a0, a1, a2, a3;
      ldmatrix4(a0, a1, a2, a3, x_tile + tile_offset<8>(warp * 16 + (lane & 15), k * 2 + (lane >> 4)));
#pragma unroll
      for (int n = 0; n < BN / 16; n++) {
        u32 b0, b1, b2, b3;
        if constexpr (ABSORB) ldmatrix4_transposed(b0, b1, b2, b3, w_tile + tile_offset<8>(k * 16 + (lane & 7) + ((lane >> 3) & 1) * 8, n * 2 + (lane >> 4)));
        else ldmatrix4(b0, b1, b2, b3, w_tile + tile_offset<8>(n * 16 + (lane & 7) + (lane >> 4) * 8, k * 2 + ((lane >> 3) & 1)));
        mma_bf16(acc[2 * n], a0, a1, a2, a3, b0, b1);
        mma_bf16(acc[2 * n + 1], a0, a1, a2, a3, b2, b3);
      }
    }
    if (!ABSORB && (step % 2 == 1 || step == steps - 1)) {
#pragma unroll
      for (int n = 0; n < BN / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) sums[ABSORB ? 0 : n][e] += acc[n][e], acc[n][e] = 0;
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int token = token0 + warp * 16 + g + half * 8;
    if (token >= p.num_tokens) continue;
#pragma unroll
    for (int n = 0; n < BN / 8; n++) {
      const int column = n0 + n * 8 + 2 * t;
      const float *result = ABSORB ? acc[n] : sums[ABSORB ? 0 : n];
      if (column < width) *(u32 *)(p.y + (i64)token * p.y_stride + head * y_head + column) = pack_bf16(result[2 * half], result[2 * half + 1]);
    }
  }
}

// Up to 16 tokens a block, for steps of few: everything a block reads is under way at once, the weights before the kernel in front has ended.
// Absorb: 64 columns, four warps of 16. Expand: 16 columns, four warps of 128 of the sum each, added in order. Sums are those of heads(), to the bit.
template <bool ABSORB> DEVICE void few(const Args &p) {
  constexpr int PANELS = ABSORB ? 2 : 8; // of 64 of the sum
  constexpr int W_ROWS = ABSORB ? 64 : 16, W_BYTES = W_ROWS * 128, X_BYTES = 16 * 128;
  const int warp = warp_id(), lane = lane_id(), g = lane >> 2, t = lane & 3;
  const int n0 = bid_x() * (ABSORB ? 64 : 16), head = bid_y(), token0 = bid_z() * 16;
  const int depth = ABSORB ? p.nope : p.rank, width = ABSORB ? p.rank : p.value;
  const int x_head = ABSORB ? p.nope + p.rope : p.rank, y_head = ABSORB ? p.rank + p.rope : p.value;
  const bf16 *weights = p.kv_b + (i64)(head * (p.nope + p.value) + (ABSORB ? 0 : p.nope)) * p.weight_stride;
  const u32 w_tile = smem_address(smem), x_tile = w_tile + PANELS * W_BYTES;
  float *parts = (float *)smem; // expand: [4][16][16], where the weights were
#pragma unroll
  for (int i = 0; i < PANELS * W_ROWS * 8 / 128; i++) {
    const int index = i * 128 + tid(), panel = index / (W_ROWS * 8), row = index / 8 % W_ROWS, chunk = index % 8;
    const int at_row = ABSORB ? panel * 64 + row : n0 + row, at_column = (ABSORB ? n0 : panel * 64) + chunk * 8;
    const bool exists = at_row < (ABSORB ? depth : width) && at_column < (ABSORB ? width : depth);
    cp_async16(w_tile + panel * W_BYTES + tile_offset<8>(row, chunk), exists ? weights + (i64)at_row * p.weight_stride + at_column : weights, exists ? 16 : 0);
  }
  start_next_if_one_wave();
  wait_previous();
  start_next();
#pragma unroll
  for (int i = 0; i < PANELS; i++) {
    const int row = tid() / 8, chunk = tid() % 8, column = i * 64 + chunk * 8;
    const bool exists = token0 + row < p.num_tokens && column < depth;
    cp_async16(x_tile + i * X_BYTES + tile_offset<8>(row, chunk), exists ? p.x + (i64)(token0 + row) * p.x_stride + head * x_head + column : p.x, exists ? 16 : 0);
  }
  cp_async_commit();
  if (ABSORB && bid_x() == 0) { // The rotated part moves along.
    const int chunks = p.rope / 8;
    for (int index = tid(); index < 16 * chunks; index += 128) {
      const int row = index / chunks, chunk = index % chunks;
      if (token0 + row < p.num_tokens) {
        store16(p.y + (i64)(token0 + row) * p.y_stride + head * y_head + p.rank + chunk * 8, load16(p.x + (i64)(token0 + row) * p.x_stride + head * x_head + p.nope + chunk * 8));
      }
    }
  }
  float acc[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
  cp_async_wait<0>();
  sync_block();
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const int panel = ABSORB ? i / 4 : warp * 2 + i / 4, k = i % 4;
    u32 a0, a1, a2, a3, b0, b1, b2, b3;
    ldmatrix4(a0, a1, a2, a3, x_tile + panel * X_BYTES + tile_offset<8>(lane & 15, k * 2 + (lane >> 4)));
    if constexpr (ABSORB) ldmatrix4_transposed(b0, b1, b2, b3, w_tile + panel * W_BYTES + tile_offset<8>(k * 16 + (lane & 7) + ((lane >> 3) & 1) * 8, warp * 2 + (lane >> 4)));
    else ldmatrix4(b0, b1, b2, b3, w_tile + panel * W_BYTES + tile_offset<8>((lane & 7) + (lane >> 4) * 8, k * 2 + ((lane >> 3) & 1)));
    mma_bf16(acc[0], a0, a1, a2, a3, b0, b1);
    mma_bf16(acc[1], a0, a1, a2, a3, b2, b3);
  }
  if constexpr (ABSORB) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int token = token0 + g + half * 8;
      if (token >= p.num_tokens) continue;
#pragma unroll
      for (int n = 0; n < 2; n++) {
        const int column = n0 + warp * 16 + n * 8 + 2 * t;
        if (column < width) *(u32 *)(p.y + (i64)token * p.y_stride + head * y_head + column) = pack_bf16(acc[n][2 * half], acc[n][2 * half + 1]);
      }
    }
  } else {
    sync_block();
#pragma unroll
    for (int n = 0; n < 2; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) *(float2v *)(parts + (warp * 16 + g + half * 8) * 16 + n * 8 + 2 * t) = {acc[n][2 * half], acc[n][2 * half + 1]};
    }
    sync_block();
    const int row = tid() / 8, column = tid() % 8 * 2;
    float2v r = {0, 0};
#pragma unroll
    for (int w = 0; w < 4; w++) {
      const float2v v = *(const float2v *)(parts + (w * 16 + row) * 16 + column);
      r.x += v.x, r.y += v.y;
    }
    if (token0 + row < p.num_tokens && n0 + column < width) *(u32 *)(p.y + (i64)(token0 + row) * p.y_stride + head * y_head + n0 + column) = pack_bf16(r.x, r.y);
  }
}

KERNEL((128)) absorb_64(const Args p) { heads<64, true>(p); }
KERNEL((128)) expand_16(const Args p) { heads<16, false>(p); }
KERNEL((128)) expand_64(const Args p) { heads<64, false>(p); }
KERNEL((128)) absorb_few(const Args p) { few<true>(p); }
KERNEL((128)) expand_few(const Args p) { few<false>(p); }
