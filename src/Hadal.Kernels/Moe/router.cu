// Routing: which experts a token uses and with what weights; then the (token, slot) pairs in order of expert, for one grouped matmul.
// Bytes a token: 4·E of logits. At few tokens it is latency: scores, choice and sort are one launch up to 1,024 pairs.
// Everything here is exact or in an order that depends on E alone: a token's choice does not depend on the batch.
#include "rows.cuh"

struct Params {
  const float *logits; // [T, E]
  const float *bias;   // [E], added for choosing only; or null
  int *ids;            // [T, top_k]
  float *weights;      // [T, top_k]
  int logits_stride;
  int num_tokens;
  int num_experts;
  int top_k;
  int num_groups;
  int topk_group;
  int sigmoid;
  int top_two; // a group's score is the sum of its two largest, else its largest
  int norm_topk;
  float scaling;
  // These for the sort.
  const i64 *slots;   // [T]; tokens with a slot below 0 take no part. Null: all do
  int *sorted_pairs;  // [T · top_k]: pair token · top_k + slot, in order of expert, then of pair
  int *positions;     // [T · top_k]: where a pair lies among the sorted; -1 for one that takes no part
  int *offsets;       // [E + 1]
  int *tiles;         // [max_tiles, 2]: expert, first row; expert -1 past the last
  int *num_tiles;     // [1]
  int *counts;        // workspace of the sort in three launches: [chunks, E]
  int tile_rows;
  int max_tiles;
};

DEVICE u32 redux_max(u32 v) {
  u32 r;
  asm volatile("redux.sync.max.u32 %0, %1, 0xffffffff;" : "=r"(r) : "r"(v));
  return r;
}
// Floats in the order of unsigned integers; both zeros alike; NaN is 0, below all.
DEVICE u32 rank_of(float v) {
  u32 bits = float_to_bits(v + 0.f);
  if (v != v) return 0;
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// What a lane knows of the experts of its own before the logits are there.
template <int N> struct Experts {
  int per_lane; // experts lane · per_lane … of the lane's own, at most N
  float bias[N];
  __device__ __forceinline__ int id(int n) const { return lane_id() * per_lane + n; }
  __device__ __forceinline__ bool has(const Params &p, int n) const { return n < per_lane && id(n) < p.num_experts; }
};
// Before wait_previous: the bias is a weight.
template <int N> DEVICE void prepare(const Params &p, Experts<N> &x) {
  x.per_lane = (p.num_experts + 31) >> 5;
#pragma unroll
  for (int n = 0; n < N; n++) x.bias[n] = p.bias && x.has(p, n) ? p.bias[x.id(n)] : 0.f;
}

// The two largest of a group and how many numbers it has, over `lanes` lanes, a power of two.
DEVICE void merge_groups(float &best, float &second, int &seen, int lanes) {
#pragma unroll 1
  for (int m = lanes >> 1; m > 0; m >>= 1) {
    float other = shfl_xor(best, m), other_second = shfl_xor(second, m);
    second = fmax_(fmin_(best, other), fmax_(second, other_second));
    best = fmax_(best, other);
    seen += (int)shfl_xor((u32)seen, m);
  }
}
DEVICE void see(float v, float &best, float &second, int &seen) {
  if (v != v) return;
  seen++;
  second = v > best ? best : fmax_(second, v);
  best = fmax_(best, v);
}

// One warp routes one token. Lane l holds experts l · N' … of its own, N' = ceil(E / 32): groups are runs of lanes then. `choice` is E floats
// of shared memory of the warp's own. Where `chosen` is not null, the ids go there too.
template <int N> DEVICE void route(const Params &p, const Experts<N> &x, int token, float *choice, u16 *chosen) {
  const float *logits = p.logits + (i64)token * p.logits_stride;
  float score[N], c[N];
  float largest = -__builtin_inff();
#pragma unroll
  for (int n = 0; n < N; n++) {
    score[n] = x.has(p, n) ? logits[x.id(n)] : -__builtin_inff();
    largest = fmax_(largest, score[n]); // not NaN, which comes back through the sum
  }
  if (p.sigmoid) {
#pragma unroll
    for (int n = 0; n < N; n++) score[n] = rcp_(1.f + exp_exact(-score[n]));
  } else {
    float max = warp_max(largest);
    float sum = 0;
#pragma unroll
    for (int n = 0; n < N; n++) {
      if (x.has(p, n)) sum += score[n] = exp_exact(score[n] - max);
    }
    float inverse = 1.f / warp_sum(sum);
#pragma unroll
    for (int n = 0; n < N; n++) score[n] *= inverse;
  }
#pragma unroll
  for (int n = 0; n < N; n++) c[n] = x.has(p, n) ? score[n] + x.bias[n] : bits_to_float(0x7fc00000u);

  if (p.num_groups > 1) {
    int per_group = p.num_experts / p.num_groups;
    int lanes = per_group / x.per_lane;
    float best = -__builtin_inff(), second = -__builtin_inff(), first;
    int seen = 0;
    bool whole = lanes * x.per_lane == per_group && (lanes & (lanes - 1)) == 0;
    int group;
    if (whole) {
      // A group is a run of lanes.
      group = lane_id() / lanes;
#pragma unroll
      for (int n = 0; n < N; n++) {
        if (x.has(p, n)) see(c[n], best, second, seen);
      }
      first = shfl(c[0], lane_id() & -lanes);
    } else {
      // Through shared memory; each begins elsewhere: groups of 32 would meet in one bank.
#pragma unroll
      for (int n = 0; n < N; n++) {
        if (x.has(p, n)) choice[x.id(n)] = c[n];
      }
      sync_warp();
      lanes = 1;
      while (lanes * 2 * p.num_groups <= 32) lanes *= 2;
      group = lane_id() / lanes;
      const float *of = choice + group * per_group;
      first = group < p.num_groups ? of[0] : 0.f;
      if (group < p.num_groups) {
        int begin = group % per_group;
#pragma unroll 1
        for (int j = lane_id() & (lanes - 1); j < per_group; j += lanes) {
          int at = j + begin;
          if (at >= per_group) at -= per_group;
          see(of[at], best, second, seen);
        }
      }
      sync_warp(); // before `choice` serves the next token
    }
    merge_groups(best, second, seen, lanes);
    if (seen < 2) second = first; // NaN all around one number: as the reference has it
    float group_score = seen == 0 ? bits_to_float(0x7fc00000u) : best + (p.top_two && per_group > 1 ? second : 0.f);
    // The worst go first, among equals the last; NaN groups stay.
    int worse = 0;
    auto compare = [&](int h) {
      float other = shfl(group_score, (h * lanes) & 31);
      worse += h < p.num_groups && (other < group_score || (other == group_score && h > group));
    };
#pragma unroll
    for (int h = 0; h < 8; h++) compare(h);
#pragma unroll 1
    for (int h = 8; h < p.num_groups; h++) compare(h);
    bool dropped = group_score == group_score && worse < p.num_groups - p.topk_group;
    if (whole) {
#pragma unroll
      for (int n = 0; n < N; n++) {
        if (dropped && x.has(p, n)) c[n] = -__builtin_inff();
      }
    } else {
      u32 drops;
      asm volatile("{ .reg .pred q; setp.ne.u32 q, %1, 0; vote.sync.ballot.b32 %0, q, 0xffffffff; }" : "=r"(drops) : "r"((u32)dropped));
#pragma unroll
      for (int n = 0; n < N; n++) {
        if (x.has(p, n) && (drops >> (x.id(n) / per_group * lanes)) & 1) c[n] = -__builtin_inff();
      }
    }
  }

  u32 rank[N];
#pragma unroll
  for (int n = 0; n < N; n++) rank[n] = rank_of(c[n]);
  float sum = 0, mine = 0;
  int mine_id = 0;
#pragma unroll 1
  for (int k = 0; k < p.top_k; k++) {
    // The lane's best, its lowest id among equals, and that one's score.
    u32 best[N];
    float held[N];
    int at[N];
#pragma unroll
    for (int n = 0; n < N; n++) best[n] = rank[n], held[n] = score[n], at[n] = n;
#pragma unroll
    for (int step = 1; step < N; step *= 2) {
#pragma unroll
      for (int n = 0; n + step < N; n += 2 * step) {
        if (best[n + step] > best[n]) best[n] = best[n + step], held[n] = held[n + step], at[n] = at[n + step];
      }
    }
    u32 top = redux_max(best[0]);
    // The first lane that has it has the lowest id.
    u32 owners;
    asm volatile("{ .reg .pred q; setp.eq.u32 q, %1, %2; vote.sync.ballot.b32 %0, q, 0xffffffff; }" : "=r"(owners) : "r"(best[0]), "r"(top));
    int owner = __builtin_ctz(owners);
    if (top == 0) owner = 0, at[0] = 0, held[0] = score[0]; // nothing left that is a number
    int id = shfl(x.id(at[0]), owner);
    float w = shfl(held[0], owner);
    if (owner == lane_id()) {
#pragma unroll
      for (int n = 0; n < N; n++) rank[n] = n == at[0] ? 0u : rank[n];
    }
    sum += w;
    // Lane k of each 32 keeps choice k.
    if ((k & 31) == lane_id()) mine = w, mine_id = id;
    if ((k & 31) == 31 || k == p.top_k - 1) {
      int slot = (k & ~31) + lane_id();
      if (slot <= k) {
        i64 to = (i64)token * p.top_k + slot;
        p.ids[to] = mine_id;
        if (chosen) chosen[to] = (u16)mine_id;
        if (p.top_k > 32) p.weights[to] = mine;
      }
    }
  }
  float factor = p.scaling / (p.norm_topk ? sum + 1e-20f : 1.f);
  if (p.top_k <= 32) {
    if (lane_id() < p.top_k) p.weights[(i64)token * p.top_k + lane_id()] = mine * factor;
    return;
  }
#pragma unroll 1
  for (int k = lane_id(); k < p.top_k; k += 32) p.weights[(i64)token * p.top_k + k] *= factor; // a lane reads what it wrote itself
}

// Warps of 4 tokens a block.
template <int N> DEVICE void router(const Params &p) {
  __shared__ float choice[4][N * 32];
  start_next_if_few();
  Experts<N> x;
  prepare(p, x);
  wait_then_start();
  int token = bid_x() * 4 + warp_id();
  if (token < p.num_tokens) route<N>(p, x, token, choice[warp_id()], nullptr);
}
KERNEL((128)) router_64(const Params p) { router<2>(p); }
KERNEL((128)) router_256(const Params p) { router<8>(p); }
KERNEL((128)) router_512(const Params p) { router<16>(p); }

// ---- the sort ----
// Lanes of the warp with the same value as this one's.
DEVICE u32 match_any(u32 v) {
  u32 r;
  asm volatile("match.any.sync.b32 %0, %1, 0xffffffff;" : "=r"(r) : "r"(v));
  return r;
}
DEVICE int warp_scan(int v) { // inclusive
  for (int d = 1; d < 32; d <<= 1) {
    int other = (int)__nvvm_shfl_sync_up_i32(0xffffffffu, v, d, 0);
    if (lane_id() >= d) v += other;
  }
  return v;
}
// Whether pair i takes part.
DEVICE bool takes_part(const Params &p, int i, int pairs) { return i < pairs && (!p.slots || p.slots[i / p.top_k] >= 0); }
// Expert of pair i, or `num_experts` for one that takes no part. Both are read at once.
DEVICE int expert_of(const Params &p, int i, int pairs) {
  int id = i < pairs ? p.ids[i] : 0;
  return takes_part(p, i, pairs) ? id : p.num_experts;
}

// 512 experts: what the arrays below have room for.
constexpr int MaxExperts = 512;

// Offsets of experts and the list of tiles, from each expert's count in `count` of thread e < E (0 for the others). Threads: at least E,
// a multiple of 32. Leaves offsets in `begin`. Few: at most 1,024 pairs, whose counts and tiles are added up as halves of one number.
template <bool Few> DEVICE void lay_out(const Params &p, int count, int *begin, int *scratch) {
  int e = tid(), lane = lane_id(), warp = warp_id(), warps = block_dim() >> 5;
  int tiles = p.tile_rows ? (count + p.tile_rows - 1) / p.tile_rows : 0;
  int rows_to, tiles_to, total;
  if constexpr (Few) {
    int to = warp_scan(count << 16 | tiles);
    if (lane == 31) scratch[warp] = to;
    sync_block();
    int others = warp_scan(lane < warps ? scratch[lane] : 0);
    total = shfl(others, 31) & 0xffff;
    int before = shfl(others, warp > 0 ? warp - 1 : 0);
    if (warp > 0) to += before;
    rows_to = to >> 16, tiles_to = to & 0xffff;
  } else {
    rows_to = warp_scan(count), tiles_to = warp_scan(tiles);
    if (lane == 31) scratch[warp] = rows_to, scratch[32 + warp] = tiles_to;
    sync_block();
    int rows = warp_scan(lane < warps ? scratch[lane] : 0), all = warp_scan(lane < warps ? scratch[32 + lane] : 0);
    total = shfl(all, 31);
    int rows_before = shfl(rows, warp > 0 ? warp - 1 : 0), tiles_before = shfl(all, warp > 0 ? warp - 1 : 0);
    if (warp > 0) rows_to += rows_before, tiles_to += tiles_before;
  }
  int first_row = rows_to - count, tile = tiles_to - tiles;
  if (e < p.num_experts) {
    begin[e] = first_row;
    p.offsets[e] = first_row;
    if (e == p.num_experts - 1) p.offsets[e + 1] = rows_to;
  }
  if (p.tile_rows) {
#pragma unroll 1
    for (int i = 0; i < tiles; i++) {
      p.tiles[2 * (tile + i)] = e;
      p.tiles[2 * (tile + i) + 1] = first_row + i * p.tile_rows;
    }
    if (e == 0) *p.num_tiles = total;
#pragma unroll 1
    for (int i = total + e; i < p.max_tiles; i += block_dim()) {
      p.tiles[2 * i] = -1;
      p.tiles[2 * i + 1] = 0;
    }
  }
  sync_block();
}

// How many pairs of the same expert come before this one in its warp, and counts of the warp's experts in its row of `histogram`.
DEVICE int count_warp(u16 *histogram, int expert, int num_experts) {
  u32 same = match_any((u32)expert);
  int before = __builtin_popcount(same & ((1u << lane_id()) - 1));
  if (before == 0 && expert < num_experts) histogram[expert] = (u16)__builtin_popcount(same);
  return before;
}

DEVICE void clear(u16 (*histogram)[MaxExperts], int warps) {
#pragma unroll 1
  for (int j = tid(); j < warps * (MaxExperts / 2); j += block_dim()) ((u32 *)histogram)[j] = 0;
  sync_block();
}
// One block sorts at most 1,024 pairs: a thread a pair, at least E threads. The histograms are clear.
DEVICE void sort_block(const Params &p, int pairs, int expert, u16 (*histogram)[MaxExperts], int *begin, int *scratch) {
  int i = tid(), used = ceil_div(pairs, 32);
  int before = 0;
  if (warp_id() < used) before = count_warp(histogram[warp_id()], expert, p.num_experts);
  sync_block();
  // Counts become the counts of the warps before.
  int count = 0;
  if (tid() < p.num_experts) {
#pragma unroll 1
    for (int w = 0; w < used; w++) {
      int here = histogram[w][tid()];
      histogram[w][tid()] = (u16)count;
      count += here;
    }
  }
  lay_out<true>(p, count, begin, scratch);
  if (i < pairs) {
    int at = -1;
    if (expert < p.num_experts) {
      at = begin[expert] + histogram[warp_id()][expert] + before;
      p.sorted_pairs[at] = i;
    }
    p.positions[i] = at;
  }
}

KERNEL((1024, 1)) moe_sort(const Params p) {
  alignas(16) __shared__ u16 histogram[32][MaxExperts];
  __shared__ int begin[MaxExperts];
  __shared__ int scratch[64];
  start_next_if_few();
  int pairs = p.num_tokens * p.top_k;
  clear(histogram, ceil_div(pairs, 32));
  wait_then_start();
  sort_block(p, pairs, expert_of(p, tid(), pairs), histogram, begin, scratch);
}

// Router and sort of at most 512 pairs in one block; warps take tokens in turn. For few tokens: from 8 or 16 on, depending on E, routing on
// many multiprocessors and sorting after it is faster.
template <int N> DEVICE void router_sort(const Params &p) {
  alignas(16) __shared__ u16 histogram[32][MaxExperts]; // first the warps' choices
  __shared__ int begin[MaxExperts];
  __shared__ int scratch[64];
  __shared__ u16 chosen[512];
  start_next_if_few();
  Experts<N> x;
  prepare(p, x);
  int warps = block_dim() >> 5, pairs = p.num_tokens * p.top_k;
  if constexpr (N == 16) warps = min_(warps, 16); // its choices take two histograms
  wait_then_start();
  bool part = takes_part(p, tid(), pairs);
  if (warp_id() < warps) {
#pragma unroll 1
    for (int token = warp_id(); token < p.num_tokens; token += warps) route<N>(p, x, token, (float *)histogram + warp_id() * N * 32, chosen);
  }
  sync_block();
  clear(histogram, ceil_div(pairs, 32));
  sort_block(p, pairs, part ? chosen[tid()] : p.num_experts, histogram, begin, scratch);
}
KERNEL((512, 1)) router_sort_64(const Params p) { router_sort<2>(p); }
KERNEL((512, 1)) router_sort_256(const Params p) { router_sort<8>(p); }
KERNEL((512, 1)) router_sort_512(const Params p) { router_sort<16>(p); }

// More pairs: chunks of 1,024 count, one block adds up, the chunks place.
KERNEL((1024, 1)) moe_sort_count(const Params p) {
  __shared__ int count[MaxExperts];
  start_next_if_few();
#pragma unroll 1
  for (int e = tid(); e < MaxExperts; e += block_dim()) count[e] = 0;
  sync_block();
  wait_then_start();
  int expert = expert_of(p, bid_x() * 1024 + tid(), p.num_tokens * p.top_k);
  u32 same = match_any((u32)expert);
  if ((same & ((1u << lane_id()) - 1)) == 0 && expert < p.num_experts) atomic_add_shared(count + expert, __builtin_popcount(same));
  sync_block();
#pragma unroll 1
  for (int e = tid(); e < p.num_experts; e += block_dim()) p.counts[bid_x() * p.num_experts + e] = count[e];
}

KERNEL((512, 1)) moe_sort_add(const Params p) {
  __shared__ int begin[MaxExperts];
  __shared__ int scratch[64];
  start_next_if_few();
  wait_then_start();
  int chunks = ceil_div(p.num_tokens * p.top_k, 1024), count = 0, e = tid();
  if (e < p.num_experts) {
#pragma unroll 4
    for (int c = 0; c < chunks; c++) count += p.counts[c * p.num_experts + e];
  }
  lay_out<false>(p, count, begin, scratch);
  if (e < p.num_experts) {
    int at = begin[e];
#pragma unroll 1
    for (int c = 0; c < chunks; c++) {
      int here = p.counts[c * p.num_experts + e];
      p.counts[c * p.num_experts + e] = at;
      at += here;
    }
  }
}

KERNEL((1024, 1)) moe_sort_place(const Params p) {
  alignas(16) __shared__ u16 histogram[32][MaxExperts];
  start_next_if_few();
#pragma unroll 1
  for (int j = tid(); j < 16 * MaxExperts; j += block_dim()) ((u32 *)histogram)[j] = 0;
  sync_block();
  wait_then_start();
  int pairs = p.num_tokens * p.top_k, i = bid_x() * 1024 + tid();
  int expert = expert_of(p, i, pairs);
  int before = count_warp(histogram[warp_id()], expert, p.num_experts);
  sync_block();
#pragma unroll 1
  for (int e = tid(); e < p.num_experts; e += block_dim()) {
    int count = 0;
#pragma unroll 1
    for (int w = 0; w < 32; w++) {
      int here = histogram[w][e];
      histogram[w][e] = (u16)count;
      count += here;
    }
  }
  sync_block();
  if (i < pairs) {
    int at = -1;
    if (expert < p.num_experts) {
      at = p.counts[bid_x() * p.num_experts + expert] + histogram[warp_id()][expert] + before;
      p.sorted_pairs[at] = i;
    }
    p.positions[i] = at;
  }
}
