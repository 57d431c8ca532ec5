// Causal grouped-query attention over paged keys and values; see docs/kernels/attention-cuda.md.
// The queries of all heads that share a key head are the rows of one matrix: row = token · group + head of the group. Two kernels share a
// step's sequences between them by their number of rows alone: up to DecodeRows go to decode, whose blocks split the context; more go to
// prompt, whose blocks hold a tile of rows and walk the context. So no row's result depends on the other sequences of the step.
#include "paged.cuh"

constexpr int KEYS = 64; // of a tile

// ---- decode: four warps, each a flash attention of 16 rows over its own 16 of every 64 keys ----
// A warp fills and reads its own ring of tiles, so nothing but the end of a part makes warps wait for each other.
// e4m3: f16 products straight from the bytes. The columns of a key go to the lanes sixteen at a time, for queries and keys alike; a value's
// come out of ldmatrix in pairs, and a sum's even columns lie in one fragment, its odd ones in the next.

template <int DP, bool FP8, int STAGES> DEVICE void decode(const Args &p) {
  constexpr int CHUNKS = DP / 8;                     // of a bf16 row
  constexpr int RAW_CHUNKS = FP8 ? DP / 16 : DP / 8; // of a row as it lies in the pages
  constexpr int RAW_BYTES = 16 * RAW_CHUNKS * 16;
  constexpr int RING_BYTES = STAGES * 2 * RAW_BYTES;
  constexpr int WARP_BYTES = RING_BYTES < 16 * (DP + 8) * 4 ? 16 * (DP + 8) * 4 : RING_BYTES;
  constexpr int SUM_STRIDE = DP + 8; // floats; rows 8 banks apart
  static_assert(RAW_CHUNKS <= 32, "a row is at most a warp wide");

  const int warp = warp_id(), lane = lane_id(), g = lane >> 2, t = lane & 3;
  const int d = p.head_dim;
  const int group = p.num_heads / p.num_kv_heads;
  const int row_tiles = row_tiles_of(group);
  const int pairs = p.num_kv_heads * row_tiles;
  const int num_sequences = p.step.num_sequences;
  const i64 row_bytes = (i64)2 * p.num_kv_heads * d * (FP8 ? 1 : 2);
  const int value_bytes = p.num_kv_heads * d * (FP8 ? 1 : 2);

  float *stats = (float *)smem;         // [4 warps][16][2]
  int *last = (int *)(smem + 512);
  u8 *mine = smem + 1024 + warp * WARP_BYTES;
  float *sums = (float *)(smem + 1024); // [4 warps], WARP_BYTES apart
  const u32 ring = smem_address(mine);

  // The arrays of the step were written before the graph: they may be read now.
  int window = 0, before = 0, inclusive = 0, context = 0, tokens = 0, first_token = 0;
  auto open_window = [&]() {
    int b = window + lane;
    context = 0, tokens = 0, first_token = 0;
    int units = 0;
    if (b < num_sequences) {
      first_token = p.step.cu_seq_lens[b];
      tokens = p.step.cu_seq_lens[b + 1] - first_token;
      context = p.step.context_lens[b];
      if (tokens > 0 && tokens * group <= 16 * row_tiles) units = pairs * parts_of(context, p.min_tiles, p.max_parts, p.whole_tiles).count;
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
    const int local = unit - before;
    const int owner = __builtin_popcount(ballot(inclusive <= local));
    const int start = owner == 0 ? 0 : shfl(inclusive, owner - 1);
    const int b = window + owner;
    const int s_context = shfl(context, owner), s_tokens = shfl(tokens, owner), s_first = shfl(first_token, owner);
    const Parts parts = parts_of(s_context, p.min_tiles, p.max_parts, p.whole_tiles);
    const int pair = (local - start) / parts.count, part = (local - start) - pair * parts.count;
    const int kv_head = pair / row_tiles, first_row = (pair - kv_head * row_tiles) * 16;
    const int rows = s_tokens * group;
    const int tile0 = part * parts.length, tile1 = min_(tile0 + parts.length, parts.tiles);
    const int *table = p.step.block_tables + (i64)b * p.step.max_blocks;

    auto slot_for = [&](int tile) { return tile < tile1 ? slot_of(p.step, table, min_(tile * KEYS + warp * 16 + (lane & 15), s_context - 1)) : 0; };
    int early[STAGES];
#pragma unroll
    for (int i = 0; i < STAGES; i++) early[i] = slot_for(tile0 + i);
    if (!waited) {
      wait_previous();
      start_next();
      waited = true;
    }

    const u8 *keys = p.pages + (i64)kv_head * d * (FP8 ? 1 : 2);
    auto issue = [&](int tile, int stage, int slot) {
      if (tile < tile1) {
        const int chunk = lane % RAW_CHUNKS;
        const int valid = s_context - (tile * KEYS + warp * 16); // keys of mine that exist
        const bool inside = chunk * 16 < d * (FP8 ? 1 : 2);
#pragma unroll
        for (int i = 0; i < RAW_CHUNKS / 2; i++) {
          const int row = i * (32 / RAW_CHUNKS) + lane / RAW_CHUNKS;
          const u8 *from = keys + shfl(slot, row) * row_bytes + (inside ? chunk * 16 : 0);
          u32 offset;
          if constexpr (FP8) offset = raw_offset<RAW_CHUNKS>(row, chunk);
          else offset = tile_offset<CHUNKS>(row, chunk);
          const u32 to = ring + stage * 2 * RAW_BYTES + offset;
          const int bytes = inside && row < valid ? 16 : 0;
          cp_async16(to, from, bytes);
          cp_async16(to + RAW_BYTES, from + value_bytes, bytes);
        }
      }
      cp_async_commit();
    };
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) issue(tile0 + i, i, early[i]);
    int next_slot = early[STAGES - 1];

    // Rows g and g+8 of this lane; those past the end repeat the last row's place and are zero.
    u32 q[DP / 16][4];
    int position[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = first_row + g + half * 8;
      const bool exists = row < rows;
      const int token = (exists ? row : rows - 1) / group;
      const bf16 *from = p.q + (i64)(s_first + token) * p.q_stride + (i64)(kv_head * group + (exists ? row : rows - 1) - token * group) * d;
      position[half] = s_context - s_tokens + token;
#pragma unroll
      for (int k = 0; k < DP / 16; k++) {
        if constexpr (FP8) {
          const int column = k / 4 * 64 + 16 * t + k % 4 * 4;
          const uint2v v = exists && column < d ? *(const uint2v *)(from + column) : uint2v{0, 0};
          q[k][half] = pack_f16(low_bf16(v.x), high_bf16(v.x));
          q[k][half + 2] = pack_f16(low_bf16(v.y), high_bf16(v.y));
        } else {
          const int column = k * 16 + 2 * t;
          q[k][half] = exists && column < d ? *(const u32 *)(from + column) : 0;
          q[k][half + 2] = exists && column + 8 < d ? *(const u32 *)(from + column + 8) : 0;
        }
      }
    }

    float o[DP / 8][4];
#pragma unroll
    for (int n = 0; n < DP / 8; n++) o[n][0] = o[n][1] = o[n][2] = o[n][3] = 0;
    float maximum[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, sum[2] = {0, 0};

    int stage = 0;
    for (int tile = tile0; tile < tile1; tile++) {
      cp_async_wait<STAGES - 2>();
      sync_warp(); // All lanes' copies have landed, and all lanes are done with the stage that is filled next.
      issue(tile + STAGES - 1, stage == 0 ? STAGES - 1 : stage - 1, next_slot);
      next_slot = slot_for(tile + STAGES);
      const u32 k_tile = ring + stage * 2 * RAW_BYTES, v_tile = k_tile + RAW_BYTES;
      float s[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
      if constexpr (FP8) {
        const u8 *k_bytes = mine + stage * 2 * RAW_BYTES;
#pragma unroll
        for (int k = 0; k < DP / 64; k++) {
          const uint4v w0 = *(const uint4v *)(k_bytes + raw_offset<RAW_CHUNKS>(g, k * 4 + t)), w1 = *(const uint4v *)(k_bytes + raw_offset<RAW_CHUNKS>(g + 8, k * 4 + t));
          const u32 v0[4] = {w0.x, w0.y, w0.z, w0.w}, v1[4] = {w1.x, w1.y, w1.z, w1.w};
#pragma unroll
          for (int i = 0; i < 4; i++) {
            const u32 *a = q[k * 4 + i];
            mma_f16(s[0], a[0], a[1], a[2], a[3], e4m3x2_to_f16x2((u16)v0[i]), e4m3x2_to_f16x2((u16)(v0[i] >> 16)));
            mma_f16(s[1], a[0], a[1], a[2], a[3], e4m3x2_to_f16x2((u16)v1[i]), e4m3x2_to_f16x2((u16)(v1[i] >> 16)));
          }
        }
      } else {
#pragma unroll
        for (int k = 0; k < DP / 16; k++) {
          u32 b0, b1, b2, b3;
          ldmatrix4(b0, b1, b2, b3, k_tile + tile_offset<CHUNKS>((lane & 7) + (lane >> 4) * 8, k * 2 + ((lane >> 3) & 1)));
          mma_bf16(s[0], q[k][0], q[k][1], q[k][2], q[k][3], b0, b1);
          mma_bf16(s[1], q[k][0], q[k][1], q[k][2], q[k][3], b2, b3);
        }
      }
      const int key = tile * KEYS + warp * 16 + 2 * t;
      float high[2] = {maximum[0], maximum[1]};
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          if (key + n * 8 + (e & 1) > position[e >> 1]) s[n][e] = NEGATIVE_INFINITY;
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
        for (int n = 0; n < DP / 8; n++) {
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
        for (int n = 0; n < DP / 32; n++) {
          u32 b[4];
          ldmatrix4_transposed(b[0], b[1], b[2], b[3], v_tile + raw_offset<RAW_CHUNKS>((lane & 7) + ((lane >> 3) & 1) * 8, n * 2 + (lane >> 4)));
#pragma unroll
          for (int i = 0; i < 2; i++) {
            mma_f16(o[n * 4 + 2 * i], a0, a1, a2, a3, e4m3x2_to_f16x2(even_bytes(b[2 * i])), e4m3x2_to_f16x2(even_bytes(b[2 * i + 1])));
            mma_f16(o[n * 4 + 2 * i + 1], a0, a1, a2, a3, e4m3x2_to_f16x2(odd_bytes(b[2 * i])), e4m3x2_to_f16x2(odd_bytes(b[2 * i + 1])));
          }
        }
      } else {
        const u32 a0 = pack_bf16(s[0][0], s[0][1]), a1 = pack_bf16(s[0][2], s[0][3]), a2 = pack_bf16(s[1][0], s[1][1]), a3 = pack_bf16(s[1][2], s[1][3]);
#pragma unroll
        for (int n = 0; n < DP / 16; n++) {
          u32 b0, b1, b2, b3;
          ldmatrix4_transposed(b0, b1, b2, b3, v_tile + tile_offset<CHUNKS>((lane & 7) + ((lane >> 3) & 1) * 8, n * 2 + (lane >> 4)));
          mma_bf16(o[2 * n], a0, a1, a2, a3, b0, b1);
          mma_bf16(o[2 * n + 1], a0, a1, a2, a3, b2, b3);
        }
      }
      stage = stage == STAGES - 1 ? 0 : stage + 1;
    }

    // The four warps' sums, then the parts' sums, each in order.
    cp_async_wait<0>();
    sync_warp();
#pragma unroll
    for (int half = 0; half < 2; half++) {
      sum[half] += shfl_xor(sum[half], 1);
      sum[half] += shfl_xor(sum[half], 2);
      if (t == 0) {
        stats[(warp * 16 + g + half * 8) * 2] = maximum[half];
        stats[(warp * 16 + g + half * 8) * 2 + 1] = sum[half];
      }
      float *row = (float *)mine + (g + half * 8) * SUM_STRIDE;
#pragma unroll
      for (int n = 0; n < DP / 8; n += 2) {
        if constexpr (FP8) {
          *(float4v *)(row + n * 8 + 4 * t) = {o[n][2 * half], o[n + 1][2 * half], o[n][2 * half + 1], o[n + 1][2 * half + 1]};
        } else {
          *(float2v *)(row + n * 8 + 2 * t) = {o[n][2 * half], o[n][2 * half + 1]};
          *(float2v *)(row + n * 8 + 8 + 2 * t) = {o[n + 1][2 * half], o[n + 1][2 * half + 1]};
        }
      }
    }
    sync_block();
    const int part_floats = 16 * DP + 32;
    float *partial = p.partials + ((i64)(b * pairs + pair) * p.max_parts + part) * part_floats;
    for (int index = tid(); index < 16 * (DP / 4); index += 128) {
      const int row = index / (DP / 4), column = index % (DP / 4) * 4;
      const int at = first_row + row;
      if (at >= rows || column >= d) continue;
      float top = NEGATIVE_INFINITY, weight = 0;
#pragma unroll
      for (int w = 0; w < 4; w++) top = fmax_(top, stats[(w * 16 + row) * 2]);
      float4v r = {0, 0, 0, 0};
#pragma unroll
      for (int w = 0; w < 4; w++) {
        const float m = stats[(w * 16 + row) * 2];
        const float f = m == NEGATIVE_INFINITY ? 0.0f : exp2_((m - top) * p.scale);
        weight += f * stats[(w * 16 + row) * 2 + 1];
        const float4v v = *(const float4v *)(sums + w * (WARP_BYTES / 4) + row * SUM_STRIDE + column);
        r.x += f * v.x, r.y += f * v.y, r.z += f * v.z, r.w += f * v.w;
      }
      if (parts.count == 1) {
        const float f = weight > 0 ? 1.0f / weight : 0.0f;
        const int token = at / group;
        bf16 *to = p.o + (i64)(s_first + token) * p.o_stride + (i64)(kv_head * group + at - token * group) * d + column;
        *(uint2v *)to = {pack_bf16(r.x * f, r.y * f), pack_bf16(r.z * f, r.w * f)};
      } else {
        *(float4v *)(partial + row * DP + column) = r;
        if (column == 0) *(float2v *)(partial + 16 * DP + row * 2) = {top, weight};
      }
    }
    if (parts.count > 1) {
      sync_block();
      if (tid() == 0) {
        fence_device(); // The barrier put everyone's stores before it.
        *last = atomic_add(p.counters + b * pairs + pair, 1) == parts.count - 1;
      }
      sync_block();
      if (*last) {
        fence_device();
        if (tid() == 0) p.counters[b * pairs + pair] = 0;
        const float *first = p.partials + (i64)(b * pairs + pair) * p.max_parts * part_floats;
        const int here = min_(16, rows - first_row), padded = (parts.count + 15) / 16 * 16;
        float *totals = stats;     // [16]
        float *factors = sums;     // [16][padded]: what a part's sums count for
        for (int row = warp; row < here; row += 4) {
          float top = NEGATIVE_INFINITY, weight = 0;
          for (int i = lane; i < parts.count; i += 32) top = fmax_(top, load8_fresh(first + (i64)i * part_floats + 16 * DP + row * 2).x);
          top = warp_max(top);
          for (int i = lane; i < padded; i += 32) {
            float f = 0;
            if (i < parts.count) {
              const float2v seen = load8_fresh(first + (i64)i * part_floats + 16 * DP + row * 2);
              f = seen.x == NEGATIVE_INFINITY ? 0.0f : exp2_((seen.x - top) * p.scale);
              weight += f * seen.y;
            }
            factors[row * padded + i] = f;
          }
          weight = warp_sum(weight);
          if (lane == 0) totals[row] = weight;
        }
        sync_block();
        for (int index = tid(); index < here * (DP / 4); index += 128) {
          const int row = index / (DP / 4), column = index % (DP / 4) * 4;
          const int at = first_row + row;
          if (column >= d) continue;
          const float weight = totals[row];
          float4v r = {0, 0, 0, 0};
          for (int i0 = 0; i0 < padded; i0 += 16) {
            float4v v[16];
#pragma unroll
            for (int i = 0; i < 16; i++) v[i] = load16_fresh(first + (i64)min_(i0 + i, parts.count - 1) * part_floats + row * DP + column);
#pragma unroll
            for (int i = 0; i < 16; i++) {
              const float f = factors[row * padded + i0 + i];
              r.x += f * v[i].x, r.y += f * v[i].y, r.z += f * v[i].z, r.w += f * v[i].w;
            }
          }
          const float f = weight > 0 ? 1.0f / weight : 0.0f;
          const int token = at / group;
          bf16 *to = p.o + (i64)(s_first + token) * p.o_stride + (i64)(kv_head * group + at - token * group) * d + column;
          *(uint2v *)to = {pack_bf16(r.x * f, r.y * f), pack_bf16(r.z * f, r.w * f)};
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

// ---- prompt: four warps of 16·MT rows each over tiles of 64 keys ----

template <int DP, int MT, bool FP8> DEVICE void prompt(const Args &p) {
  constexpr int ROWS = 64 * MT;
  constexpr int CHUNKS = DP / 8;
  constexpr int RAW_CHUNKS = FP8 ? DP / 16 : DP / 8;
  constexpr int TILE_BYTES = KEYS * DP * 2;
  constexpr int RAW_BYTES = KEYS * RAW_CHUNKS * 16;

  const int warp = warp_id(), lane = lane_id(), g = lane >> 2, t = lane & 3;
  const int d = p.head_dim;
  const int group = p.num_heads / p.num_kv_heads;
  const int decode_rows = 16 * row_tiles_of(group);
  const int kv_head = bid_x();
  const int num_sequences = p.step.num_sequences;

  int b = -1, row0 = 0, context = 0, tokens = 0, first_token = 0;
  for (int window = 0, before = 0; window < num_sequences && b < 0; window += 32) {
    const int mine = window + lane;
    int count = 0;
    if (mine < num_sequences) {
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
  wait_previous();
  start_next();
  if (b < 0) return;

  const int rows = tokens * group;
  const int last_row = min_(row0 + ROWS, rows) - 1;
  // A padded sequence has no context: its rows see nothing and come out zero.
  const int tiles = context > 0 ? ceil_div(context - tokens + last_row / group + 1, KEYS) : 0;
  const int first_position = context - tokens + row0 / group;
  const int *table = p.step.block_tables + (i64)b * p.step.max_blocks;
  const i64 row_bytes = (i64)2 * p.num_kv_heads * d * (FP8 ? 1 : 2);
  const int value_bytes = p.num_kv_heads * d * (FP8 ? 1 : 2);
  const u8 *keys = p.pages + (i64)kv_head * d * (FP8 ? 1 : 2);

  int *slots = (int *)smem; // [2][64]
  const u32 q_tile = smem_address(smem) + 1024;
  u8 *kv = smem + 1024 + ROWS * DP * 2;
  const u32 kv_tile = smem_address(kv); // bf16: 2 stages of keys and values; FP8: a tile of each, then a raw one of each

  auto slot_for = [&](int tile) { return tid() < KEYS && tile < tiles ? slot_of(p.step, table, min_(tile * KEYS + tid(), context - 1)) : 0; };
  auto issue = [&](int tile) {
    const int *from_slots = slots + (tile & 1) * KEYS;
    const int self = opaque(tid()), chunk = self % RAW_CHUNKS;
    const int valid = context - tile * KEYS;
    const bool inside = chunk * 16 < d * (FP8 ? 1 : 2);
#pragma unroll
    for (int i = 0; i < KEYS * RAW_CHUNKS / 128; i++) {
      const int row = i * (128 / RAW_CHUNKS) + self / RAW_CHUNKS;
      const u8 *from = keys + from_slots[row] * row_bytes + (inside ? chunk * 16 : 0);
      const int bytes = inside && row < valid ? 16 : 0;
      u32 to;
      if constexpr (FP8) to = kv_tile + 2 * TILE_BYTES + (u32)(row * RAW_CHUNKS + chunk) * 16;
      else to = kv_tile + (tile & 1) * 2 * TILE_BYTES + tile_offset<CHUNKS>(row, chunk);
      cp_async16(to, from, bytes);
      cp_async16(to + RAW_BYTES, from + value_bytes, bytes);
    }
  };

  if (tid() < KEYS) {
    slots[tid()] = slot_for(0);
    slots[KEYS + tid()] = slot_for(1);
  }
  int next_slot = slot_for(2);
  for (int index = tid(); index < ROWS * CHUNKS; index += 128) {
    const int row = index / CHUNKS, chunk = index % CHUNKS, at = row0 + row;
    const bool exists = at < rows && chunk * 8 < d;
    const int token = at / group;
    const bf16 *from = exists ? p.q + (i64)(first_token + token) * p.q_stride + (i64)(kv_head * group + at - token * group) * d + chunk * 8 : p.q;
    cp_async16(q_tile + tile_offset<CHUNKS>(row, chunk), from, exists ? 16 : 0);
  }
  sync_block();
  if (tiles > 0) issue(0);
  cp_async_commit();

  float o[MT][DP / 8][4];
  float maximum[MT][2], sum[MT][2];
  int position[MT][2];
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int n = 0; n < DP / 8; n++) o[m][n][0] = o[m][n][1] = o[m][n][2] = o[m][n][3] = 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      maximum[m][half] = NEGATIVE_INFINITY, sum[m][half] = 0;
      position[m][half] = context - tokens + min_(row0 + (warp * MT + m) * 16 + g + half * 8, rows - 1) / group;
    }
  }

  for (int tile = 0; tile < tiles; tile++) {
    cp_async_wait<0>();
    sync_block(); // The tile has landed; everyone is done with the other stage, and with the slots of this tile.
    if constexpr (FP8) {
#pragma unroll
      for (int i = 0; i < 2 * KEYS * RAW_CHUNKS / 128; i++) {
        const int index = i * 128 + opaque(tid());
        const bool value = index >= KEYS * RAW_CHUNKS;
        const int row = index / RAW_CHUNKS % KEYS, chunk = index % RAW_CHUNKS;
        const uint4v raw = *(const uint4v *)(kv + 2 * TILE_BYTES + index * 16);
        const uint2v w0 = e4m3x4_to_bf16x4(raw.x), w1 = e4m3x4_to_bf16x4(raw.y), w2 = e4m3x4_to_bf16x4(raw.z), w3 = e4m3x4_to_bf16x4(raw.w);
        u8 *to = kv + (value ? TILE_BYTES : 0);
        *(uint4v *)(to + tile_offset<CHUNKS>(row, 2 * chunk)) = {w0.x, w0.y, w1.x, w1.y};
        *(uint4v *)(to + tile_offset<CHUNKS>(row, 2 * chunk + 1)) = {w2.x, w2.y, w3.x, w3.y};
      }
      sync_block();
    }
    if (tile + 1 < tiles) issue(tile + 1);
    cp_async_commit();
    if (tid() < KEYS) slots[(tile & 1) * KEYS + tid()] = next_slot; // of tile + 2
    next_slot = slot_for(tile + 3);

    const u32 k_tile = kv_tile + (FP8 ? 0 : (tile & 1) * 2 * TILE_BYTES), v_tile = k_tile + TILE_BYTES;
    const int lane = opaque(lane_id());
    float s[MT][8][4];
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
      for (int n = 0; n < 8; n++) s[m][n][0] = s[m][n][1] = s[m][n][2] = s[m][n][3] = 0;
    }
#pragma unroll
    for (int k = 0; k < DP / 16; k++) {
      u32 a[MT][4];
#pragma unroll
      for (int m = 0; m < MT; m++) ldmatrix4(a[m][0], a[m][1], a[m][2], a[m][3], q_tile + tile_offset<CHUNKS>((warp * MT + m) * 16 + (lane & 15), k * 2 + (lane >> 4)));
#pragma unroll
      for (int n = 0; n < 4; n++) {
        u32 b0, b1, b2, b3;
        ldmatrix4(b0, b1, b2, b3, k_tile + tile_offset<CHUNKS>(n * 16 + (lane & 7) + (lane >> 4) * 8, k * 2 + ((lane >> 3) & 1)));
#pragma unroll
        for (int m = 0; m < MT; m++) {
          mma_bf16(s[m][2 * n], a[m][0], a[m][1], a[m][2], a[m][3], b0, b1);
          mma_bf16(s[m][2 * n + 1], a[m][0], a[m][1], a[m][2], a[m][3], b2, b3);
        }
      }
    }
    if (tile * KEYS + KEYS - 1 > first_position) {
#pragma unroll
      for (int m = 0; m < MT; m++) {
#pragma unroll
        for (int n = 0; n < 8; n++) {
#pragma unroll
          for (int e = 0; e < 4; e++) {
            if (tile * KEYS + n * 8 + 2 * t + (e & 1) > position[m][e >> 1]) s[m][n][e] = NEGATIVE_INFINITY;
          }
        }
      }
    }
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float high = maximum[m][half];
#pragma unroll
        for (int n = 0; n < 8; n++) high = fmax_(high, fmax_(s[m][n][2 * half], s[m][n][2 * half + 1]));
        high = fmax_(high, shfl_xor(high, 1));
        high = fmax_(high, shfl_xor(high, 2));
        // Key 0 is in the first tile and every row sees it: the maximum is finite unless the data is not.
        const float scale = exp2_((maximum[m][half] - high) * p.scale), shift = high * p.scale;
        maximum[m][half] = high;
        float total = sum[m][half] * scale;
#pragma unroll
        for (int n = 0; n < 8; n++) {
          s[m][n][2 * half] = exp2_(fma_(s[m][n][2 * half], p.scale, -shift));
          s[m][n][2 * half + 1] = exp2_(fma_(s[m][n][2 * half + 1], p.scale, -shift));
          total += s[m][n][2 * half] + s[m][n][2 * half + 1];
        }
        sum[m][half] = total;
#pragma unroll
        for (int n = 0; n < DP / 8; n++) o[m][n][2 * half] *= scale, o[m][n][2 * half + 1] *= scale;
      }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
      u32 a[MT][4];
#pragma unroll
      for (int m = 0; m < MT; m++) {
        a[m][0] = pack_bf16(s[m][2 * k][0], s[m][2 * k][1]), a[m][1] = pack_bf16(s[m][2 * k][2], s[m][2 * k][3]);
        a[m][2] = pack_bf16(s[m][2 * k + 1][0], s[m][2 * k + 1][1]), a[m][3] = pack_bf16(s[m][2 * k + 1][2], s[m][2 * k + 1][3]);
      }
#pragma unroll
      for (int n = 0; n < DP / 16; n++) {
        u32 b0, b1, b2, b3;
        ldmatrix4_transposed(b0, b1, b2, b3, v_tile + tile_offset<CHUNKS>(k * 16 + (lane & 7) + ((lane >> 3) & 1) * 8, n * 2 + (lane >> 4)));
#pragma unroll
        for (int m = 0; m < MT; m++) {
          mma_bf16(o[m][2 * n], a[m][0], a[m][1], a[m][2], a[m][3], b0, b1);
          mma_bf16(o[m][2 * n + 1], a[m][0], a[m][1], a[m][2], a[m][3], b2, b3);
        }
      }
    }
  }

  // Out through this warp's rows of the query tile, which no other warp reads.
  cp_async_wait<0>();
  sync_block();
  u8 *out = smem + 1024;
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float total = sum[m][half];
      total += shfl_xor(total, 1);
      total += shfl_xor(total, 2);
      const float f = total > 0 ? 1.0f / total : 0.0f;
#pragma unroll
      for (int n = 0; n < DP / 8; n++) {
        *(u32 *)(out + tile_offset<CHUNKS>((warp * MT + m) * 16 + g + half * 8, n) + 4 * t) = pack_bf16(o[m][n][2 * half] * f, o[m][n][2 * half + 1] * f);
      }
    }
  }
  sync_warp();
  for (int index = lane; index < 16 * MT * CHUNKS; index += 32) {
    const int row = warp * MT * 16 + index / CHUNKS, chunk = index % CHUNKS, at = row0 + row;
    if (at >= rows || chunk * 8 >= d) continue;
    const int token = at / group;
    store16(p.o + (i64)(first_token + token) * p.o_stride + (i64)(kv_head * group + at - token * group) * d + chunk * 8, *(const uint4v *)(out + tile_offset<CHUNKS>(row, chunk)));
  }
}

KERNEL((128, 4)) decode_64_bf16(const Args p) { decode<64, false, 3>(p); }
KERNEL((128, 2)) decode_128_bf16(const Args p) { decode<128, false, 3>(p); }
KERNEL((128, 1)) decode_256_bf16(const Args p) { decode<256, false, 3>(p); }
KERNEL((128, 4)) decode_64_e4m3(const Args p) { decode<64, true, 3>(p); }
KERNEL((128, 3)) decode_128_e4m3(const Args p) { decode<128, true, 3>(p); }
KERNEL((128, 1)) decode_256_e4m3(const Args p) { decode<256, true, 3>(p); }

KERNEL((128, 2)) prompt_64_bf16(const Args p) { prompt<64, 2, false>(p); }
KERNEL((128, 2)) prompt_128_bf16(const Args p) { prompt<128, 2, false>(p); }
KERNEL((128)) prompt_256_bf16(const Args p) { prompt<256, 1, false>(p); }
KERNEL((128, 2)) prompt_64_e4m3(const Args p) { prompt<64, 2, true>(p); }
KERNEL((128, 2)) prompt_128_e4m3(const Args p) { prompt<128, 2, true>(p); }
KERNEL((128)) prompt_256_e4m3(const Args p) { prompt<256, 1, true>(p); }
