// Attention on latents of 512 columns with a rotated key of 64 (every DeepSeek of this kind), as they lie in the pages: a row of 576
// is the key of all heads and its first 512 columns their value. Row = token · H + head. Other widths: PlainAttention.
// A block has 16·MT rows and walks tiles of keys, two in flight: for scores a warp has 16 rows and some keys, for values all rows and some columns.
// Long contexts are cut into parts whose length depends on the sequence's own context only; combine adds them in order.
#include "attention.cuh"

struct Args {
  Step step;
  const bf16 *q;      // [T, H·576]
  bf16 *o;            // [T, H·512]
  const u8 *pages;    // rows of 576
  float *partials;    // [B · row tiles, max_parts][16·MT · 514]
  int q_stride;
  int o_stride;
  int num_heads;
  float scale;        // times log2 e
  int min_tiles;      // tiles of 64 keys (latent16: of 16) a part has at least
  int max_parts;      // parts of a sequence at most
  int min_rows;       // This launch takes the sequences of so many rows
  int max_rows;       // to so many.
  int row_tiles;      // combine: of a sequence of max_rows
  int whole_tiles;    // a context of no more tiles is one part
};

constexpr int UNIT = 64, WIDTH = 576, RANK = 512, CHUNKS = WIDTH / 8;

template <int MT, int KEYS, int WARPS, bool FP8> DEVICE void latent(const Args &p) {
  constexpr int ROWS = 16 * MT;
  constexpr int THREADS = 32 * WARPS;
  constexpr int GROUPS = WARPS / MT;         // warps that share 16 rows
  constexpr int NT = KEYS / (8 * GROUPS);    // keys of a warp, by eights
  constexpr int COLUMNS = RANK / WARPS;      // of the value, for a warp
  constexpr int CHAINS = NT == 2 ? 2 : 1;
  constexpr int TILE_BYTES = KEYS * WIDTH * 2, STAGE_BYTES = FP8 ? KEYS * WIDTH : TILE_BYTES;
  constexpr int RAW_CHUNKS = FP8 ? WIDTH / 16 : CHUNKS;
  const int warp = warp_id(), lane = lane_id(), g = lane >> 2, t = lane & 3;
  const int my_rows = warp % MT, my_keys = warp / MT;
  const int num_sequences = p.step.num_sequences;

  float *tops = (float *)smem;               // [GROUPS][ROWS]
  float *totals = (float *)(smem + 1024);    // [GROUPS][ROWS]
  int *slots = (int *)(smem + 2048);         // [2][KEYS]
  u8 *weights = smem + 3072;                 // [ROWS][64] bf16
  u8 *queries = weights + ROWS * 128;
  u8 *stages = queries + ROWS * WIDTH * 2;   // two tiles as they lie in the pages
  u8 *decoded = stages + 2 * STAGE_BYTES;    // FP8: one in bf16
  const u32 w_tile = smem_address(weights), q_tile = smem_address(queries), ring = smem_address(stages);
  static_assert(GROUPS * ROWS <= 256 && NT >= 2, "more than sixteen rows");

  int window = 0, before = 0, inclusive = 0, context = 0, tokens = 0, first_token = 0;
  auto open_window = [&]() {
    int b = window + lane, units = 0;
    context = 0, tokens = 0, first_token = 0;
    if (b < num_sequences) {
      first_token = p.step.cu_seq_lens[b];
      tokens = p.step.cu_seq_lens[b + 1] - first_token;
      context = p.step.context_lens[b];
      const int rows = tokens * p.num_heads;
      if (tokens > 0 && rows >= p.min_rows && rows <= p.max_rows) units = ceil_div(rows, ROWS) * parts_of(context, p.min_tiles, p.max_parts, p.whole_tiles).count;
    }
    inclusive = warp_prefix(units);
  };
  open_window();
  bool waited = false;

  for (int unit = bid_x();; unit += grid_x()) {
    int total = shfl(inclusive, 31);
    while (unit >= before + total && window + 32 < num_sequences) {
      before += total;
      window += 32;
      open_window();
      total = shfl(inclusive, 31);
    }
    if (unit >= before + total) break;
    const int owner = __builtin_popcount(ballot(inclusive <= unit - before));
    const int local = unit - before - (owner == 0 ? 0 : shfl(inclusive, owner - 1));
    const int b = window + owner;
    const int s_context = shfl(context, owner), s_tokens = shfl(tokens, owner), s_first = shfl(first_token, owner);
    const Parts parts = parts_of(s_context, p.min_tiles, p.max_parts, p.whole_tiles);
    const int rows = s_tokens * p.num_heads, row_tiles = ceil_div(rows, ROWS);
    // Late rows see most keys: they begin first.
    const int row_tile = row_tiles - 1 - local / parts.count, part = local % parts.count, row0 = row_tile * ROWS;
    const int last_row = min_(row0 + ROWS, rows) - 1;
    const int seen = s_context > 0 ? ceil_div(s_context - s_tokens + last_row / p.num_heads + 1, KEYS) : 0;
    const int tile0 = part * parts.length * (UNIT / KEYS), tile1 = min_(tile0 + parts.length * (UNIT / KEYS), seen);
    const int *table = p.step.block_tables + (i64)b * p.step.max_blocks;
    auto slot_for = [&](int tile) { return tid() < KEYS && tile < tile1 ? slot_of(p.step, table, min_(tile * KEYS + tid(), s_context - 1)) : 0; };
    if (tid() < KEYS) {
      const int early = slot_for(tile0 + 1);
      slots[(tile0 & 1) * KEYS + tid()] = slot_for(tile0);
      slots[((tile0 + 1) & 1) * KEYS + tid()] = early;
    }
    int next_slot = slot_for(tile0 + 2);
    if (!waited) {
      wait_previous();
      start_next();
      waited = true;
    }
    sync_block();

    // Eight threads a row, 128 bytes of it at a time.
    auto issue = [&](int tile) {
      if (tile < tile1) {
        const int *from_slots = slots + (tile & 1) * KEYS;
        const int valid = s_context - tile * KEYS, my_chunk = tid() & 7;
#pragma unroll
        for (int r = 0; r < KEYS * 8 / THREADS; r++) {
          const int row = r * (THREADS / 8) + (tid() >> 3);
          const u8 *from = p.pages + (i64)from_slots[row] * (WIDTH * (FP8 ? 1 : 2)) + my_chunk * 16;
          const u32 to = ring + (tile & 1) * STAGE_BYTES + (FP8 ? (u32)(row * RAW_CHUNKS + my_chunk) * 16 : tile_offset<CHUNKS>(row, my_chunk));
          const int bytes = row < valid ? 16 : 0;
#pragma unroll
          for (int i = 0; i < RAW_CHUNKS / 8; i++) cp_async16(to + i * 128, from + i * 128, bytes);
          if (RAW_CHUNKS % 8 != 0 && my_chunk < RAW_CHUNKS % 8) cp_async16(to + RAW_CHUNKS / 8 * 128, from + RAW_CHUNKS / 8 * 128, bytes);
        }
      }
      cp_async_commit();
    };
    for (int index = tid(); index < ROWS * CHUNKS; index += THREADS) {
      const int row = index / CHUNKS, chunk = index % CHUNKS, at = row0 + row;
      const bool exists = at < rows;
      const int token = at / p.num_heads;
      cp_async16(q_tile + tile_offset<CHUNKS>(row, chunk), exists ? p.q + (i64)(s_first + token) * p.q_stride + (at - token * p.num_heads) * WIDTH + chunk * 8 : p.q, exists ? 16 : 0);
    }
    issue(tile0);
    issue(tile0 + 1);

    float o[MT][COLUMNS / 8][4];
    float maximum[MT][2]; // of every row, in every warp
    float sum[2] = {0, 0}; // of my rows over my keys
    int position[2];
#pragma unroll
    for (int m = 0; m < MT; m++) {
      maximum[m][0] = maximum[m][1] = NEGATIVE_INFINITY;
#pragma unroll
      for (int n = 0; n < COLUMNS / 8; n++) o[m][n][0] = o[m][n][1] = o[m][n][2] = o[m][n][3] = 0;
    }
#pragma unroll
    for (int half = 0; half < 2; half++) position[half] = s_context - s_tokens + min_(row0 + my_rows * 16 + g + half * 8, rows - 1) / p.num_heads;

    for (int tile = tile0; tile < tile1; tile++) {
      cp_async_wait<1>();
      sync_block(); // The tile has landed.
      if (tid() < KEYS) slots[(tile & 1) * KEYS + tid()] = next_slot; // of tile + 2
      next_slot = slot_for(tile + 3);
      u32 k_tile = ring + (tile & 1) * STAGE_BYTES;
      if constexpr (FP8) {
        for (int index = tid(); index < KEYS * RAW_CHUNKS; index += THREADS) {
          const int row = index / RAW_CHUNKS, chunk = index % RAW_CHUNKS;
          const uint4v raw = *(const uint4v *)(stages + (tile & 1) * STAGE_BYTES + index * 16);
          const uint2v w0 = e4m3x4_to_bf16x4(raw.x), w1 = e4m3x4_to_bf16x4(raw.y), w2 = e4m3x4_to_bf16x4(raw.z), w3 = e4m3x4_to_bf16x4(raw.w);
          *(uint4v *)(decoded + tile_offset<CHUNKS>(row, 2 * chunk)) = {w0.x, w0.y, w1.x, w1.y};
          *(uint4v *)(decoded + tile_offset<CHUNKS>(row, 2 * chunk + 1)) = {w2.x, w2.y, w3.x, w3.y};
        }
        sync_block();
        issue(tile + 2);
        k_tile = smem_address(decoded);
      }

      const int lane = opaque(lane_id());
      float s[NT][4];
      {
        float c[CHAINS][NT][4];
#pragma unroll
        for (int i = 0; i < CHAINS; i++) {
#pragma unroll
          for (int n = 0; n < NT; n++) c[i][n][0] = c[i][n][1] = c[i][n][2] = c[i][n][3] = 0;
        }
        const u32 a_row = q_tile;
#pragma unroll
        for (int k = 0; k < WIDTH / 16; k += 2) {
          u32 a[2][4];
#pragma unroll
          for (int i = 0; i < 2; i++) ldmatrix4(a[i][0], a[i][1], a[i][2], a[i][3], a_row + tile_offset<CHUNKS>(my_rows * 16 + (lane & 15), (k + i) * 2 + (lane >> 4)));
#pragma unroll
          for (int i = 0; i < 2; i++) {
#pragma unroll
            for (int n = 0; n < NT / 2; n++) {
              u32 b0, b1, b2, b3;
              ldmatrix4(b0, b1, b2, b3, k_tile + tile_offset<CHUNKS>(my_keys * 8 * NT + n * 16 + (lane & 7) + (lane >> 4) * 8, (k + i) * 2 + ((lane >> 3) & 1)));
              mma_bf16(c[(k + i) % CHAINS][2 * n], a[i][0], a[i][1], a[i][2], a[i][3], b0, b1);
              mma_bf16(c[(k + i) % CHAINS][2 * n + 1], a[i][0], a[i][1], a[i][2], a[i][3], b2, b3);
            }
          }
        }
#pragma unroll
        for (int n = 0; n < NT; n++) {
#pragma unroll
          for (int e = 0; e < 4; e++) {
            if constexpr (CHAINS == 2) s[n][e] = c[0][n][e] + c[1][n][e];
            else s[n][e] = c[0][n][e];
          }
        }
      }
      float high[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY};
#pragma unroll
      for (int n = 0; n < NT; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          if (tile * KEYS + my_keys * 8 * NT + n * 8 + 2 * t + (e & 1) > position[e >> 1]) s[n][e] = NEGATIVE_INFINITY;
          high[e >> 1] = fmax_(high[e >> 1], s[n][e]);
        }
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
        high[half] = fmax_(high[half], shfl_xor(high[half], 1));
        high[half] = fmax_(high[half], shfl_xor(high[half], 2));
        if (t == 0) tops[my_keys * ROWS + my_rows * 16 + g + half * 8] = high[half];
      }
      sync_block();
      float my_scale[2], my_shift[2];
#pragma unroll
      for (int m = 0; m < MT; m++) {
        float scale[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
          float top = maximum[m][half];
#pragma unroll
          for (int i = 0; i < GROUPS; i++) top = fmax_(top, tops[i * ROWS + m * 16 + g + half * 8]);
          scale[half] = maximum[m][half] == NEGATIVE_INFINITY ? 0.0f : exp2_((maximum[m][half] - top) * p.scale);
          maximum[m][half] = top;
          if (m == my_rows) my_scale[half] = scale[half], my_shift[half] = top == NEGATIVE_INFINITY ? 0.0f : top * p.scale;
        }
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++) o[m][n][0] *= scale[0], o[m][n][1] *= scale[0], o[m][n][2] *= scale[1], o[m][n][3] *= scale[1];
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
        sum[half] *= my_scale[half];
#pragma unroll
        for (int n = 0; n < NT; n++) {
          const float w0 = exp2_(fma_(s[n][2 * half], p.scale, -my_shift[half])), w1 = exp2_(fma_(s[n][2 * half + 1], p.scale, -my_shift[half]));
          sum[half] += w0 + w1;
          *(u32 *)(weights + tile_offset<8>(my_rows * 16 + g + half * 8, my_keys * NT + n) + 4 * t) = pack_bf16(w0, w1);
        }
      }
      sync_block();
#pragma unroll
      for (int k = 0; k < KEYS / 16; k++) {
        u32 a[MT][4];
#pragma unroll
        for (int m = 0; m < MT; m++) ldmatrix4(a[m][0], a[m][1], a[m][2], a[m][3], w_tile + tile_offset<8>(m * 16 + (lane & 15), k * 2 + (lane >> 4)));
#pragma unroll
        for (int n = 0; n < COLUMNS / 16; n++) {
          u32 b0, b1, b2, b3;
          ldmatrix4_transposed(b0, b1, b2, b3, k_tile + tile_offset<CHUNKS>(k * 16 + (lane & 7) + ((lane >> 3) & 1) * 8, warp * (COLUMNS / 8) + n * 2 + (lane >> 4)));
#pragma unroll
          for (int m = 0; m < MT; m++) {
            mma_bf16(o[m][2 * n], a[m][0], a[m][1], a[m][2], a[m][3], b0, b1);
            mma_bf16(o[m][2 * n + 1], a[m][0], a[m][1], a[m][2], a[m][3], b2, b3);
          }
        }
      }
      if constexpr (!FP8) {
        sync_block(); // Everyone is done with the tile.
        issue(tile + 2);
      }
    }
    cp_async_wait<0>();
#pragma unroll
    for (int half = 0; half < 2; half++) {
      sum[half] += shfl_xor(sum[half], 1);
      sum[half] += shfl_xor(sum[half], 2);
      if (t == 0) totals[my_keys * ROWS + my_rows * 16 + g + half * 8] = sum[half];
    }
    sync_block();
    float *partial = p.partials + ((i64)(b * p.row_tiles + row_tile) * p.max_parts + part) * (ROWS * (RANK + 2));
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int row = m * 16 + g + half * 8, at = row0 + row;
        if (at >= rows) continue;
        float weight = 0;
#pragma unroll
        for (int i = 0; i < GROUPS; i++) weight += totals[i * ROWS + row];
        if (parts.count == 1) {
          const float f = weight > 0 ? 1.0f / weight : 0.0f;
          const int token = at / p.num_heads;
          bf16 *to = p.o + (i64)(s_first + token) * p.o_stride + (at - token * p.num_heads) * RANK + warp * COLUMNS + 2 * t;
#pragma unroll
          for (int n = 0; n < COLUMNS / 8; n++) *(u32 *)(to + n * 8) = pack_bf16(o[m][n][2 * half] * f, o[m][n][2 * half + 1] * f);
        } else {
          float *to = partial + row * RANK + warp * COLUMNS + 2 * t;
#pragma unroll
          for (int n = 0; n < COLUMNS / 8; n++) *(float2v *)(to + n * 8) = {o[m][n][2 * half], o[m][n][2 * half + 1]};
          if (warp == 0 && t == 0) *(float2v *)(partial + ROWS * RANK + row * 2) = {maximum[m][half], weight};
        }
      }
    }
    sync_block();
  }
  if (!waited) {
    wait_previous();
    start_next();
  }
}

// Sixteen rows, the heads of a token of V2-Lite, in a ring of tiles of 16 keys. Each of four warps multiplies its quarter of the key's columns,
// its queries in registers, and all four add the quarters up: then every warp has all weights, in registers, for its quarter of the value.
// A context is cut between tiles, so that a lone sequence has a block for each. One barrier a tile: it says that the quarters are there, that the next tile is, and that the last one's place is free.
// e4m3: as in decode of PagedAttention.cu, f16 products from the bytes.
template <bool FP8> DEVICE void latent16(const Args &p) {
  constexpr int STAGES = FP8 ? 6 : 5, KEYS = 16, STEPS = WIDTH / 64, COLUMNS = RANK / 4;
  constexpr int RAW_CHUNKS = FP8 ? WIDTH / 16 : CHUNKS, STAGE_BYTES = KEYS * RAW_CHUNKS * 16;
  const int warp = warp_id(), lane = lane_id(), g = lane >> 2, t = lane & 3;
  const int num_sequences = p.step.num_sequences;
  float *quarters = (float *)smem; // [2][4 warps][2][32 lanes][4]
  u8 *stages = smem + 8192;
  const u32 ring = smem_address(stages);
  auto raw_at = [](int row, int chunk) { return (u32)(row * RAW_CHUNKS + (chunk ^ ((row >> 1) & 3))) * 16; }; // 36 chunks a row: odd rows lie half a turn on

  int window = 0, before = 0, inclusive = 0, context = 0, tokens = 0, first_token = 0;
  auto open_window = [&]() {
    int b = window + lane, units = 0;
    context = 0, tokens = 0, first_token = 0;
    if (b < num_sequences) {
      first_token = p.step.cu_seq_lens[b];
      tokens = p.step.cu_seq_lens[b + 1] - first_token;
      context = p.step.context_lens[b];
      const int rows = tokens * p.num_heads;
      if (tokens > 0 && rows >= p.min_rows && rows <= p.max_rows) units = ceil_div(rows, 16) * parts_of(context, p.min_tiles, p.max_parts, p.whole_tiles, KEYS).count;
    }
    inclusive = warp_prefix(units);
  };
  open_window();
  bool waited = false;

  for (int unit = bid_x();; unit += grid_x()) {
    int total = shfl(inclusive, 31);
    while (unit >= before + total && window + 32 < num_sequences) {
      before += total;
      window += 32;
      open_window();
      total = shfl(inclusive, 31);
    }
    if (unit >= before + total) break;
    const int owner = __builtin_popcount(ballot(inclusive <= unit - before));
    const int local = unit - before - (owner == 0 ? 0 : shfl(inclusive, owner - 1));
    const int b = window + owner;
    const int s_context = shfl(context, owner), s_tokens = shfl(tokens, owner), s_first = shfl(first_token, owner);
    const Parts parts = parts_of(s_context, p.min_tiles, p.max_parts, p.whole_tiles, KEYS);
    const int rows = s_tokens * p.num_heads, row_tiles = ceil_div(rows, 16);
    const int row_tile = row_tiles - 1 - local / parts.count, part = local % parts.count, row0 = row_tile * 16;
    const int last_row = min_(row0 + 16, rows) - 1;
    const int seen = s_context > 0 ? ceil_div(s_context - s_tokens + last_row / p.num_heads + 1, KEYS) : 0;
    const int tile0 = part * parts.length, tile1 = min_(tile0 + parts.length, seen);
    const int *table = p.step.block_tables + (i64)b * p.step.max_blocks;
    // A thread fetches from one row of every tile: eight threads a row, 128 bytes of it at a time.
    const int my_key = tid() >> 3, my_chunk = tid() & 7;
    auto slot_for = [&](int tile) { return tile < tile1 ? slot_of(p.step, table, min_(tile * KEYS + my_key, s_context - 1)) : 0; };
    int early[STAGES];
#pragma unroll
    for (int i = 0; i < STAGES; i++) early[i] = slot_for(tile0 + i);
    if (!waited) {
      start_next_if_one_wave();
      wait_previous();
      start_next();
      waited = true;
    }

    auto issue = [&](int tile, int stage, int slot) {
      if (tile < tile1) {
        const u8 *from = p.pages + (i64)slot * (WIDTH * (FP8 ? 1 : 2)) + my_chunk * 16;
        const u32 to = ring + stage * STAGE_BYTES + (FP8 ? raw_at(my_key, my_chunk) : tile_offset<CHUNKS>(my_key, my_chunk));
        const int bytes = tile * KEYS + my_key < s_context ? 16 : 0;
#pragma unroll
        for (int i = 0; i < RAW_CHUNKS / 8; i++) cp_async16(to + i * 128, from + i * 128, bytes);
        if (RAW_CHUNKS % 8 != 0 && my_chunk < RAW_CHUNKS % 8) cp_async16(to + RAW_CHUNKS / 8 * 128, from + RAW_CHUNKS / 8 * 128, bytes);
      }
      cp_async_commit();
    };
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) issue(tile0 + i, i, early[i]);
    int next_slot = early[STAGES - 1];

    u32 q[STEPS][4];
    int position[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = row0 + g + half * 8;
      const bool exists = row < rows;
      const int token = (exists ? row : rows - 1) / p.num_heads;
      const bf16 *from = p.q + (i64)(s_first + token) * p.q_stride + ((exists ? row : rows - 1) - token * p.num_heads) * WIDTH + warp * (WIDTH / 4);
      position[half] = s_context - s_tokens + token;
#pragma unroll
      for (int k = 0; k < STEPS; k++) {
        if constexpr (FP8) {
          const uint2v v = exists ? *(const uint2v *)(from + k * 16 + 4 * t) : uint2v{0, 0};
          q[k][half] = pack_f16(low_bf16(v.x), high_bf16(v.x));
          q[k][half + 2] = pack_f16(low_bf16(v.y), high_bf16(v.y));
        } else {
          q[k][half] = exists ? *(const u32 *)(from + k * 16 + 2 * t) : 0;
          q[k][half + 2] = exists ? *(const u32 *)(from + k * 16 + 8 + 2 * t) : 0;
        }
      }
    }
    float o[COLUMNS / 8][4];
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; n++) o[n][0] = o[n][1] = o[n][2] = o[n][3] = 0;
    float maximum[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, sum[2] = {0, 0};

    cp_async_wait<STAGES - 2>();
    sync_block();
    int stage = 0;
    for (int tile = tile0; tile < tile1; tile++) {
      const u32 here = ring + stage * STAGE_BYTES;
      float c[2][2][4];
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) c[0][n][e] = c[1][n][e] = 0;
      }
#pragma unroll
      for (int k = 0; k < STEPS; k++) {
        if constexpr (FP8) {
          const u8 *keys = stages + stage * STAGE_BYTES + 4 * t;
          const u32 v0 = *(const u32 *)(keys + raw_at(g, warp * STEPS + k)), v1 = *(const u32 *)(keys + raw_at(g + 8, warp * STEPS + k));
          mma_f16(c[k & 1][0], q[k][0], q[k][1], q[k][2], q[k][3], e4m3x2_to_f16x2((u16)v0), e4m3x2_to_f16x2((u16)(v0 >> 16)));
          mma_f16(c[k & 1][1], q[k][0], q[k][1], q[k][2], q[k][3], e4m3x2_to_f16x2((u16)v1), e4m3x2_to_f16x2((u16)(v1 >> 16)));
        } else {
          u32 b0, b1, b2, b3;
          ldmatrix4(b0, b1, b2, b3, here + tile_offset<CHUNKS>((lane & 7) + (lane >> 4) * 8, (warp * STEPS + k) * 2 + ((lane >> 3) & 1)));
          mma_bf16(c[k & 1][0], q[k][0], q[k][1], q[k][2], q[k][3], b0, b1);
          mma_bf16(c[k & 1][1], q[k][0], q[k][1], q[k][2], q[k][3], b2, b3);
        }
      }
      float *exchange = quarters + (tile & 1) * 1024;
#pragma unroll
      for (int n = 0; n < 2; n++) *(float4v *)(exchange + ((warp * 2 + n) * 32 + lane) * 4) = {c[0][n][0] + c[1][n][0], c[0][n][1] + c[1][n][1], c[0][n][2] + c[1][n][2], c[0][n][3] + c[1][n][3]};
      cp_async_wait<STAGES - 3>();
      sync_block();
      issue(tile + STAGES - 1, stage == 0 ? STAGES - 1 : stage - 1, next_slot);
      next_slot = slot_for(tile + STAGES);

      float s[2][4];
#pragma unroll
      for (int n = 0; n < 2; n++) {
        float4v v[4];
#pragma unroll
        for (int w = 0; w < 4; w++) v[w] = *(const float4v *)(exchange + ((w * 2 + n) * 32 + lane) * 4);
        s[n][0] = (v[0].x + v[1].x) + (v[2].x + v[3].x);
        s[n][1] = (v[0].y + v[1].y) + (v[2].y + v[3].y);
        s[n][2] = (v[0].z + v[1].z) + (v[2].z + v[3].z);
        s[n][3] = (v[0].w + v[1].w) + (v[2].w + v[3].w);
      }
      float high[2] = {maximum[0], maximum[1]};
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          if (tile * KEYS + n * 8 + 2 * t + (e & 1) > position[e >> 1]) s[n][e] = NEGATIVE_INFINITY;
          high[e >> 1] = fmax_(high[e >> 1], s[n][e]);
        }
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
        high[half] = fmax_(high[half], shfl_xor(high[half], 1));
        high[half] = fmax_(high[half], shfl_xor(high[half], 2));
      }
      // The maximum seldom grows after the first tiles; scaling by one would change nothing.
      if (ballot(high[0] > maximum[0] || high[1] > maximum[1]) != 0) {
        float scale[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
          scale[half] = maximum[half] == NEGATIVE_INFINITY ? 0.0f : exp2_((maximum[half] - high[half]) * p.scale);
          maximum[half] = high[half];
          sum[half] *= scale[half];
        }
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++) {
          o[n][0] *= scale[0], o[n][1] *= scale[0];
          o[n][2] *= scale[1], o[n][3] *= scale[1];
        }
      }
      const float shift[2] = {maximum[0] == NEGATIVE_INFINITY ? 0.0f : maximum[0] * p.scale, maximum[1] == NEGATIVE_INFINITY ? 0.0f : maximum[1] * p.scale};
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          s[n][e] = exp2_(fma_(s[n][e], p.scale, -shift[e >> 1]));
          sum[e >> 1] += s[n][e];
        }
      }
      if constexpr (FP8) {
        const u32 a0 = pack_f16(s[0][0], s[0][1]), a1 = pack_f16(s[0][2], s[0][3]), a2 = pack_f16(s[1][0], s[1][1]), a3 = pack_f16(s[1][2], s[1][3]);
#pragma unroll
        for (int n = 0; n < COLUMNS / 32; n++) {
          u32 v[4];
          ldmatrix4_transposed(v[0], v[1], v[2], v[3], here + raw_at((lane & 7) + ((lane >> 3) & 1) * 8, warp * (COLUMNS / 16) + n * 2 + (lane >> 4)));
#pragma unroll
          for (int i = 0; i < 2; i++) {
            mma_f16(o[n * 4 + 2 * i], a0, a1, a2, a3, e4m3x2_to_f16x2(even_bytes(v[2 * i])), e4m3x2_to_f16x2(even_bytes(v[2 * i + 1])));
            mma_f16(o[n * 4 + 2 * i + 1], a0, a1, a2, a3, e4m3x2_to_f16x2(odd_bytes(v[2 * i])), e4m3x2_to_f16x2(odd_bytes(v[2 * i + 1])));
          }
        }
      } else {
        const u32 a0 = pack_bf16(s[0][0], s[0][1]), a1 = pack_bf16(s[0][2], s[0][3]), a2 = pack_bf16(s[1][0], s[1][1]), a3 = pack_bf16(s[1][2], s[1][3]);
#pragma unroll
        for (int n = 0; n < COLUMNS / 16; n++) {
          u32 b0, b1, b2, b3;
          ldmatrix4_transposed(b0, b1, b2, b3, here + tile_offset<CHUNKS>((lane & 7) + ((lane >> 3) & 1) * 8, warp * (COLUMNS / 8) + n * 2 + (lane >> 4)));
          mma_bf16(o[2 * n], a0, a1, a2, a3, b0, b1);
          mma_bf16(o[2 * n + 1], a0, a1, a2, a3, b2, b3);
        }
      }
      stage = stage == STAGES - 1 ? 0 : stage + 1;
    }
    cp_async_wait<0>();
    float *partial = p.partials + ((i64)(b * p.row_tiles + row_tile) * p.max_parts + part) * (16 * (RANK + 2));
#pragma unroll
    for (int half = 0; half < 2; half++) {
      sum[half] += shfl_xor(sum[half], 1);
      sum[half] += shfl_xor(sum[half], 2);
      const int row = g + half * 8, at = row0 + row;
      if (at >= rows) continue;
      // Pairs of fragments: columns 4t of sixteen each in e4m3's order, else 2t of eight and of the next eight.
      const int step = FP8 ? 4 * t : 2 * t;
      if (parts.count == 1) {
        const float f = sum[half] > 0 ? 1.0f / sum[half] : 0.0f;
        const int token = at / p.num_heads;
        bf16 *to = p.o + (i64)(s_first + token) * p.o_stride + (at - token * p.num_heads) * RANK + warp * COLUMNS + step;
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n += 2) {
          const float x0 = o[n][2 * half] * f, x1 = o[n][2 * half + 1] * f, y0 = o[n + 1][2 * half] * f, y1 = o[n + 1][2 * half + 1] * f;
          if constexpr (FP8) {
            *(uint2v *)(to + n * 8) = {pack_bf16(x0, y0), pack_bf16(x1, y1)};
          } else {
            *(u32 *)(to + n * 8) = pack_bf16(x0, x1);
            *(u32 *)(to + n * 8 + 8) = pack_bf16(y0, y1);
          }
        }
      } else {
        float *to = partial + row * RANK + warp * COLUMNS + step;
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n += 2) {
          if constexpr (FP8) {
            *(float4v *)(to + n * 8) = {o[n][2 * half], o[n + 1][2 * half], o[n][2 * half + 1], o[n + 1][2 * half + 1]};
          } else {
            *(float2v *)(to + n * 8) = {o[n][2 * half], o[n][2 * half + 1]};
            *(float2v *)(to + n * 8 + 8) = {o[n + 1][2 * half], o[n + 1][2 * half + 1]};
          }
        }
        if (warp == 0 && t == 0) *(float2v *)(partial + 16 * RANK + row * 2) = {maximum[half], sum[half]};
      }
    }
    sync_block();
  }
  if (!waited) {
    wait_previous();
    start_next();
  }
}

// One row of a sequence a block: 128 threads of four columns.
template <int MT> DEVICE void combine(const Args &p) {
  constexpr int ROWS = 16 * MT;
  const int row = bid_x(), b = bid_y();
  const int first_token = p.step.cu_seq_lens[b], tokens = p.step.cu_seq_lens[b + 1] - first_token;
  const Parts parts = parts_of(p.step.context_lens[b], p.min_tiles, p.max_parts, p.whole_tiles, MT == 1 ? 16 : 64);
  const int rows = tokens * p.num_heads;
  start_next_if_one_wave();
  wait_previous();
  start_next();
  if (row >= rows || rows < p.min_rows || rows > p.max_rows || parts.count == 1) return;
  const float *first = p.partials + (i64)(b * p.row_tiles + row / ROWS) * p.max_parts * (ROWS * (RANK + 2));
  const int at = row % ROWS, column = tid() * 4;
  const int padded = (parts.count + 7) / 8 * 8, lane = lane_id();
  float *factors = (float *)smem; // [padded]: what a part's sums count for; every warp finds them all
  float top = NEGATIVE_INFINITY, weight = 0;
  const float *seen = first + ROWS * RANK + at * 2;
  for (int i = lane; i < parts.count; i += 32) top = fmax_(top, ((const float2v *)(seen + (i64)i * (ROWS * (RANK + 2))))->x);
  top = warp_max(top);
  for (int i = lane; i < padded; i += 32) {
    float f = 0;
    if (i < parts.count) {
      const float2v v = *(const float2v *)(seen + (i64)i * (ROWS * (RANK + 2)));
      f = v.x == NEGATIVE_INFINITY ? 0.0f : exp2_((v.x - top) * p.scale);
      weight += f * v.y;
    }
    if (warp_id() == 0) factors[i] = f;
  }
  weight = warp_sum(weight);
  sync_block();
  float4v r = {0, 0, 0, 0};
  for (int i0 = 0; i0 < padded; i0 += 8) {
    float4v v[8];
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = *(const float4v *)(first + (i64)min_(i0 + i, parts.count - 1) * (ROWS * (RANK + 2)) + at * RANK + column);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const float f = factors[i0 + i];
      r.x += f * v[i].x, r.y += f * v[i].y, r.z += f * v[i].z, r.w += f * v[i].w;
    }
  }
  const float f = weight > 0 ? 1.0f / weight : 0.0f;
  const int token = row / p.num_heads;
  *(uint2v *)(p.o + (i64)(first_token + token) * p.o_stride + (row - token * p.num_heads) * RANK + column) = {pack_bf16(r.x * f, r.y * f), pack_bf16(r.z * f, r.w * f)};
}

KERNEL((128, 2)) latent_1_bf16(const Args p) { latent16<false>(p); }
KERNEL((256, 1)) latent_2_bf16(const Args p) { latent<2, 64, 8, false>(p); }
KERNEL((256, 1)) latent_4_bf16(const Args p) { latent<4, 64, 8, false>(p); }
KERNEL((128, 3)) latent_1_e4m3(const Args p) { latent16<true>(p); }
KERNEL((256, 1)) latent_2_e4m3(const Args p) { latent<2, 64, 8, true>(p); }
KERNEL((256, 1)) latent_4_e4m3(const Args p) { latent<4, 64, 8, true>(p); }
KERNEL((128)) combine_1(const Args p) { combine<1>(p); }
KERNEL((128)) combine_2(const Args p) { combine<2>(p); }
KERNEL((128)) combine_4(const Args p) { combine<4>(p); }
