// Hopper's kernel for prompts: two warpgroups of 64 rows each over tiles of 128 keys, and a third that fetches them.
// Rows are those of PagedAttention.cu. Keys and values come through the block table with cp.async, 16 bytes a lane, whatever the size of a page;
// the fetching threads wait for their own copies, make them visible to wgmma and say so at a barrier. The two take turns at
// issuing scores, so that one's exponentials run under the others' products.
#include "attention_sm90.cuh"
#include "paged.cuh"

#if HADAL_SM90
constexpr int KEYS = 128, PANEL = KEYS * 128;

template <int D, int W> DEVICE void prompt(const Args &p) {
  constexpr int ROWS = 64 * W, Q_PANEL = ROWS * 128, PANELS = D / 64, TILE = PANELS * PANEL;
  // Barriers: key tiles full (2), empty (2), value tiles full (2), empty (2).
  const u32 bars = smem_address(smem), q_tile = bars + 1024, k_tiles = q_tile + PANELS * Q_PANEL, v_tiles = k_tiles + 2 * TILE;
  const u32 k_full = bars, k_empty = bars + 16, v_full = bars + 32, v_empty = bars + 48;
  const int lane = lane_id(), warpgroup = shfl(tid() >> 7, 0);
  const int group = p.num_heads / p.num_kv_heads;
  const int decode_rows = 16 * row_tiles_of(group);
  const int kv_head = bid_x();

  int b = -1, row0 = 0, context = 0, tokens = 0, first_token = 0;
  for (int window = 0, before = 0; window < p.step.num_sequences && b < 0; window += 32) {
    const int mine = window + lane;
    int count = 0;
    if (mine < p.step.num_sequences) {
      first_token = p.step.cu_seq_lens[mine];
      tokens = p.step.cu_seq_lens[mine + 1] - first_token;
      context = p.step.context_lens[mine];
      if (tokens * group > decode_rows) count = ceil_div(tokens * group, ROWS);
    }
    const int inclusive = warp_prefix(count), total = shfl(inclusive, 31), local = bid_y() - before;
    if (local < total) {
      const int owner = __builtin_popcount(ballot(inclusive <= local));
      // Late rows see most keys: they begin first.
      row0 = (shfl(inclusive, owner) - 1 - local) * ROWS;
      b = window + owner;
      first_token = shfl(first_token, owner), tokens = shfl(tokens, owner), context = shfl(context, owner);
    }
    before += total;
  }
  const int rows = b >= 0 ? tokens * group : 0; // A block beyond the last tile has none, and writes none.
  const int last_row = min_(row0 + ROWS, rows) - 1;
  // A padded sequence has no context: its rows see nothing and come out zero.
  const int tiles = b >= 0 && context > 0 ? ceil_div(context - tokens + last_row / group + 1, KEYS) : 0;
  if (tid() == 0) {
    for (int i = 0; i < 2; i++) {
      mbarrier_init(k_full + 8 * i, 64);
      mbarrier_init(v_full + 8 * i, 64);
      mbarrier_init(k_empty + 8 * i, W);
      mbarrier_init(v_empty + 8 * i, W);
    }
  }
  wait_previous();
  start_next();
  sync_block();

  // ptxas gives each branch its own number of registers only where the roles are the two arms of one if.
  if (warpgroup == W) {
    fewer_registers<W == 2 ? 40 : 32>();
    const int half = warp_id() & 1;        // of every few rows
    const bool value = (warp_id() & 2) != 0;
    const int *table = p.step.block_tables + (i64)b * p.step.max_blocks;
    const i64 row_bytes = (i64)4 * p.num_kv_heads * D;
    constexpr int LANES = D / 8, AT_ONCE = 32 / LANES, STRIDE = 2 * AT_ONCE; // lanes of a row, rows of a warp's copy, of both warps'
    const int chunk = lane & (LANES - 1), row0_of_lane = half * AT_ONCE + lane / LANES;
    const u8 *from = p.pages + (i64)(kv_head + (value ? p.num_kv_heads : 0)) * D * 2 + chunk * 16;
    const u32 tile0 = (value ? v_tiles : k_tiles) + (chunk >> 3) * PANEL;
    // Rows come STRIDE (4 or 8) apart: two places within the swizzle, and a constant from one row to the next but one.
    const u32 even = tile0 + tile_offset<8>(row0_of_lane, chunk & 7), odd = tile0 + tile_offset<8>(row0_of_lane + STRIDE, chunk & 7);
    const u32 full = value ? v_full : k_full, empty = value ? v_empty : k_empty;
    int slots[4], next[4];
    auto find = [&](int tile) {
#pragma unroll
      for (int i = 0; i < 4; i++) next[i] = tile < tiles ? slot_of(p.step, table, min_(tile * KEYS + i * 32 + lane, context - 1)) : 0;
    };
    find(0);
    for (int tile = 0; tile < tiles; tile++) {
#pragma unroll
      for (int i = 0; i < 4; i++) slots[i] = next[i];
      const int stage = tile & 1, valid = context - tile * KEYS - row0_of_lane;
      mbarrier_wait(empty + 8 * stage, ((tile >> 1) & 1) ^ 1);
#pragma unroll
      for (int i = 0; i < KEYS / STRIDE; i++) {
        const int slot = shfl(slots[i * STRIDE / 32], (row0_of_lane + i * STRIDE) & 31);
        cp_async16((i & 1 ? odd : even) + stage * TILE + (i >> 1) * (2 * STRIDE * 128), from + slot * row_bytes, i * STRIDE < valid ? 16 : 0);
      }
      cp_async_commit();
      find(tile + 1);
      cp_async_wait<0>();
      fence_products();
      mbarrier_arrive(full + 8 * stage);
    }
  } else {
    more_registers<W == 2 ? 232 : 160>();
    const int thread = tid() & 127, warp = warp_id() & 3, g = lane >> 2, t = lane & 3;
    const u32 my_q = q_tile + warpgroup * 64 * 128;
    const int my_row0 = row0 + warpgroup * 64;
    for (int index = thread; index < 64 * (D / 8); index += 128) {
      const int row = index / (D / 8), chunk = index % (D / 8), at = my_row0 + row;
      const bool exists = at < rows;
      const int token = at / group;
      const bf16 *from = exists ? p.q + (i64)(first_token + token) * p.q_stride + (i64)(kv_head * group + at - token * group) * D + chunk * 8 : p.q;
      cp_async16(my_q + (chunk >> 3) * Q_PANEL + tile_offset<8>(row, chunk & 7), from, exists ? 16 : 0);
    }
    cp_async_commit();
    cp_async_wait<0>();
    fence_products();
    sync_named(4 + warpgroup, 128);

    float o[D / 2];
#pragma unroll
    for (int n = 0; n < D / 2; n++) o[n] = 0;
    float maximum[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, sum[2] = {0, 0};
    int position[2];
#pragma unroll
    for (int half = 0; half < 2; half++) position[half] = context - tokens + min_(my_row0 + warp * 16 + g + half * 8, rows - 1) / group;
    const int first_position = context - tokens + min_(my_row0, rows - 1) / group;

    // Turns: barrier 1 + w lets warpgroup w issue; the first is let by the last, before the loop.
    if (warpgroup == W - 1 && tiles > 0) arrive_named(1, 256);
    for (int tile = 0; tile < tiles; tile++) {
      const int stage = tile & 1;
      const u32 parity = (tile >> 1) & 1;
      float s[64];
      mbarrier_wait(k_full + 8 * stage, parity);
      sync_named(1 + warpgroup, 256);
#pragma unroll
      for (int panel = 0; panel < PANELS; panel++) scores_panel(s, my_q + panel * Q_PANEL, k_tiles + stage * TILE + panel * PANEL, panel);
      if (warpgroup < W - 1 || tile + 1 < tiles) arrive_named(1 + (warpgroup + 1) % W, 256);
      products_wait(s);
      if (thread == 0) mbarrier_arrive(k_empty + 8 * stage);

      if (tile * KEYS + KEYS - 1 > first_position) {
#pragma unroll
        for (int i = 0; i < 64; i++) {
          if (tile * KEYS + i / 4 * 8 + 2 * t + (i & 1) > position[(i >> 1) & 1]) s[i] = NEGATIVE_INFINITY;
        }
      }
      float scale[2];
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float high = maximum[half];
#pragma unroll
        for (int n = 0; n < 16; n++) high = fmax_(high, fmax_(s[n * 4 + 2 * half], s[n * 4 + 2 * half + 1]));
        high = fmax_(high, shfl_xor(high, 1));
        high = fmax_(high, shfl_xor(high, 2));
        // Key 0 is in the first tile and every row sees it: the maximum is finite unless the data is not.
        scale[half] = exp2_((maximum[half] - high) * p.scale);
        maximum[half] = high;
        const float shift = high * p.scale;
        float total = sum[half] * scale[half];
#pragma unroll
        for (int n = 0; n < 16; n++) {
          s[n * 4 + 2 * half] = exp2_(fma_(s[n * 4 + 2 * half], p.scale, -shift));
          s[n * 4 + 2 * half + 1] = exp2_(fma_(s[n * 4 + 2 * half + 1], p.scale, -shift));
          total += s[n * 4 + 2 * half] + s[n * 4 + 2 * half + 1];
        }
        sum[half] = total;
      }
      u32 weights[32];
#pragma unroll
      for (int k = 0; k < 8; k++) {
        weights[4 * k] = pack_bf16(s[8 * k], s[8 * k + 1]), weights[4 * k + 1] = pack_bf16(s[8 * k + 2], s[8 * k + 3]);
        weights[4 * k + 2] = pack_bf16(s[8 * k + 4], s[8 * k + 5]), weights[4 * k + 3] = pack_bf16(s[8 * k + 6], s[8 * k + 7]);
      }
#pragma unroll
      for (int n = 0; n < D / 2; n++) o[n] *= scale[(n >> 1) & 1];
      mbarrier_wait(v_full + 8 * stage, parity);
      values_tile(o, weights, v_tiles + stage * TILE);
      products_wait(o);
      if (thread == 0) mbarrier_arrive(v_empty + 8 * stage);
    }

    // Out through this warp's rows of the query tile, which no other warp reads any more: the products are done.
    sync_named(4 + warpgroup, 128);
    u8 *out = smem + 1024 + warpgroup * 64 * 128;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float total = sum[half];
      total += shfl_xor(total, 1);
      total += shfl_xor(total, 2);
      const float f = total > 0 ? 1.0f / total : 0.0f;
#pragma unroll
      for (int n = 0; n < D / 8; n++) {
        *(u32 *)(out + (n >> 3) * Q_PANEL + tile_offset<8>(warp * 16 + g + half * 8, n & 7) + 4 * t) = pack_bf16(o[n * 4 + 2 * half] * f, o[n * 4 + 2 * half + 1] * f);
      }
    }
    sync_warp();
    for (int index = lane; index < 16 * (D / 8); index += 32) {
      const int row = warp * 16 + index / (D / 8), chunk = index % (D / 8), at = my_row0 + row;
      if (at >= rows) continue;
      const int token = at / group;
      store16(p.o + (i64)(first_token + token) * p.o_stride + (i64)(kv_head * group + at - token * group) * D + chunk * 8, *(const uint4v *)(out + (chunk >> 3) * Q_PANEL + tile_offset<8>(row, chunk & 7)));
    }
  }
}

KERNEL((384, 1)) prompt_64(const Args p) { prompt<64, 2>(p); }
KERNEL((384, 1)) prompt_128(const Args p) { prompt<128, 2>(p); }
#endif
