// The next token of each row of logits: greedy, or drawn after temperature, top-k, top-p and min-p. The same function as the engine's
// Sampler: among equal logits and weights the lowest id comes first, the draw walks the kept ids in order, top-p counts in shares of
// what top-k left.
//
// Bytes a row: 4·V for greedy (152,064: 0.6 MB, 0.2 us of the card's memory time; 64 rows 13 us), twice that for a draw, and the few chunks that hold
// candidates again. A row is cut into chunks of 4,096 so that one row fills some 38 multiprocessors:
//   scan       largest logit and its first place; greedy rows end here
//   histogram  weights e^((l - max) / T) counted and summed in quarter octaves; the row's last block picks a floor under which nothing is kept
//   gather     candidates above the floor, in order of id
//   finish     sorts at most 4,096 candidates, cuts, draws; more than that (flat rows) take a radix selection over the row
// Masses are integers, weights in units of 2^-39: sums do not depend on the order they are made in, so a row's token depends on
// the row, its parameters and its number alone. A weight under 2^-39 of the largest is never drawn.
#include "rows.cuh"

constexpr int Chunk = 4096;
constexpr int MaxChunks = 64; // 262,144 ids
constexpr int Bins = 128;     // the last one: all weights under 2^-31.75
constexpr int MaxList = 4096;
constexpr u32 One = 0x3f800000u; // bits of 1.f

struct RowParams {
  float temperature; // 0: greedy
  float top_p;
  float min_p;
  int top_k;
  double uniform; // in [0, 1)
};

struct Row {
  u64 best[MaxChunks];       // of each chunk: rank of its largest logit, and ~index
  u64 mass[Bins];            // of all chunks together
  u64 chunk_mass[MaxChunks];
  u32 count[Bins];
  u32 first[MaxChunks];      // where a chunk's candidates begin
  u32 list_id[MaxList];
  u32 list_delta[MaxList];
  u16 chunk_count[MaxChunks][Bins];
  u32 scanned;               // blocks that are done, in turn; zero between launches
  u32 counted;
  float max;
  int status;
  u32 floor;                 // candidates have a delta below it
  u32 num_candidates;
  u32 reserved[2];
};
static_assert(sizeof(Row) == 52000, "the launcher counts on it");

struct Params {
  const float *logits;   // [rows, vocab]
  const RowParams *rows; // [rows]
  Row *work;             // [rows]
  int *tokens;           // [rows]
  int *status;           // [rows]: 0, or what is wrong with the largest logit: 1 NaN, 2 infinite, 3 -infinite
  int stride;
  int vocab;
};

// ---- 64 bits across lanes and blocks ----
DEVICE u64 shfl_xor64(u64 v, int m) { return (u64)shfl_xor((u32)(v >> 32), m) << 32 | shfl_xor((u32)v, m); }
DEVICE u64 warp_max64(u64 v) {
  for (int m = 16; m > 0; m >>= 1) {
    u64 o = shfl_xor64(v, m);
    v = o > v ? o : v;
  }
  return v;
}
DEVICE u64 warp_sum64(u64 v) {
  for (int m = 16; m > 0; m >>= 1) v += shfl_xor64(v, m);
  return v;
}
DEVICE u64 warp_scan64(u64 v) { // inclusive
  for (int d = 1; d < 32; d <<= 1) {
    u32 high = (u32)__nvvm_shfl_sync_up_i32(0xffffffffu, (int)(v >> 32), d, 0);
    u32 low = (u32)__nvvm_shfl_sync_up_i32(0xffffffffu, (int)v, d, 0);
    if (lane_id() >= d) v += (u64)high << 32 | low;
  }
  return v;
}
// Inclusive over the block, and the block's sum. Two barriers; `shared` holds 33.
DEVICE u64 block_scan64(u64 v, u64 *shared, u64 &total) {
  u64 mine = warp_scan64(v);
  if (lane_id() == 31) shared[warp_id()] = mine;
  sync_block();
  int warps = block_dim() >> 5;
  u64 others = warp_scan64(lane_id() < warps ? shared[lane_id()] : 0);
  total = (u64)shfl((u32)(others >> 32), 31) << 32 | shfl((u32)others, 31);
  int before = warp_id() == 0 ? 0 : warp_id() - 1;
  u64 base = (u64)shfl((u32)(others >> 32), before) << 32 | shfl((u32)others, before);
  sync_block();
  return mine + (warp_id() == 0 ? 0 : base);
}
DEVICE u32 load_shared_by_blocks(const u32 *p) {
  u32 v;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
  return v;
}
DEVICE u64 load_shared_by_blocks(const u64 *p) {
  u64 v;
  asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(v) : "l"(p) : "memory");
  return v;
}
DEVICE void add_global(u32 *p, u32 v) { asm volatile("red.relaxed.gpu.global.add.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory"); }
DEVICE void add_global(u64 *p, u64 v) { asm volatile("red.relaxed.gpu.global.add.u64 [%0], %1;" ::"l"(p), "l"(v) : "memory"); }
// True in the last of `blocks` blocks that come here; the counter is zero again after it.
DEVICE bool is_last_block(u32 *counter, int blocks, u32 *shared) {
  sync_block();
  if (tid() == 0) {
    fence_device();
    u32 before;
    asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;" : "=r"(before) : "l"(counter), "r"(blocks - 1) : "memory");
    fence_device();
    *shared = before == (u32)blocks - 1;
  }
  sync_block();
  return *shared != 0;
}

DEVICE void load4(const float *row, int i, int vocab, float (&v)[4]) {
  if (i + 4 <= vocab) {
    float4v q = *(const float4v *)(row + i);
    v[0] = q.x, v[1] = q.y, v[2] = q.z, v[3] = q.w;
  } else {
#pragma unroll
    for (int j = 0; j < 4; j++) v[j] = i + j < vocab ? row[i + j] : -__builtin_inff();
  }
}
DEVICE u32 rank_of(float v) {
  u32 bits = float_to_bits(v + 0.f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// How far the bits of a weight lie below those of 1: the order of weights, largest first. One stands for 0: never kept.
DEVICE u32 delta_of(float logit, float max, float temperature) {
  float d = logit - max;
  if (temperature != 1.f) d = d / temperature; // not times 1 / T, which may be infinite
  return One - float_to_bits(fmin_(exp_exact(d), 1.f));
}
// Units of 2^-39: 19 bits (and 2^19 for 1) and 20 bits. Adding 2^23 towards zero leaves the whole part in the low bits: no conversions, which are slow.
DEVICE float add_down(float a, float b) {
  float r;
  asm("add.rz.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
}
DEVICE void mass_of(u32 delta, u32 &high, u32 &low) {
  float scaled = bits_to_float(One - delta) * 524288.f;
  float whole = add_down(scaled, 8388608.f);
  high = float_to_bits(whole) & 0x7fffffu;
  low = float_to_bits(add_down((scaled - (whole - 8388608.f)) * 1048576.f, 8388608.f)) & 0x7fffffu;
}
DEVICE u64 mass_of(u32 delta) {
  u32 high, low;
  mass_of(delta, high, low);
  return ((u64)high << 20) + low;
}
DEVICE int bin_of(u32 delta) { return min_((int)(delta >> 21), Bins - 1); }
DEVICE bool has_top_k(const RowParams &r, int vocab) { return r.top_k > 0 && r.top_k < vocab; }
DEVICE bool is_plain(const RowParams &r, int vocab) { return !has_top_k(r, vocab) && r.top_p >= 1.f && r.min_p <= 0.f; }
// At least one unit: the largest weight is always kept.
DEVICE u64 share_of(float top_p, u64 mass) {
  double t = (double)top_p * (double)mass;
  u64 units = (u64)t;
  if ((double)units < t) units++;
  return units > 0 ? units : 1;
}

KERNEL((256)) sample_scan(const Params p) {
  __shared__ u64 shared[8];
  __shared__ u32 last;
  start_next_if_few();
  int r = bid_y(), chunk = bid_x();
  wait_then_start();
  Row *work = p.work + r;
  const float *row = p.logits + (i64)r * p.stride;
  float v[4][4];
  int first = chunk * Chunk + tid() * 4;
#pragma unroll
  for (int j = 0; j < 4; j++) load4(row, first + j * 1024, p.vocab, v[j]);
  float best = -__builtin_inff();
  int at = first;
  bool nan = false;
#pragma unroll
  for (int j = 0; j < 4; j++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      nan |= v[j][i] != v[j][i];
      if (v[j][i] > best) best = v[j][i], at = first + j * 1024 + i;
    }
  }
  u64 key = (u64)(nan ? 0xffffffffu : rank_of(best)) << 32 | (u32)~at;
  key = warp_max64(key);
  if (lane_id() == 0) shared[warp_id()] = key;
  sync_block();
  if (warp_id() == 0) {
    key = warp_max64(lane_id() < 8 ? shared[lane_id()] : 0);
    if (lane_id() == 0) work->best[chunk] = key;
  }
  if (chunk == 0 && tid() < Bins) {
    // For the histogram that follows.
    work->count[tid()] = 0;
    work->mass[tid()] = 0;
  }
  if (!is_last_block(&work->scanned, grid_x(), &last) || warp_id() > 0) return;
  key = lane_id() < grid_x() ? load_shared_by_blocks(work->best + lane_id()) : 0;
  if (lane_id() + 32 < grid_x()) {
    u64 other = load_shared_by_blocks(work->best + lane_id() + 32);
    key = other > key ? other : key;
  }
  key = warp_max64(key);
  if (lane_id() > 0) return;
  u32 rank = (u32)(key >> 32);
  float max = bits_to_float(rank & 0x80000000u ? rank & 0x7fffffffu : ~rank);
  int status = rank == 0xffffffffu ? 1 : max == __builtin_inff() ? 2 : max == -__builtin_inff() ? 3 : 0;
  work->max = max;
  work->status = status;
  p.status[r] = status;
  p.tokens[r] = status == 0 ? (int)~(u32)key : -1;
}

KERNEL((256)) sample_histogram(const Params p) {
  __shared__ u32 count[Bins], high[Bins], low[Bins];
  __shared__ u64 sums[8];
  __shared__ u32 last;
  start_next_if_few();
  int r = bid_y(), chunk = bid_x();
  if (tid() < Bins) count[tid()] = 0, high[tid()] = 0, low[tid()] = 0;
  wait_then_start();
  Row *work = p.work + r;
  RowParams params = p.rows[r];
  if (params.temperature == 0.f || work->status != 0) return;
  bool plain = is_plain(params, p.vocab);
  float max = work->max;
  const float *row = p.logits + (i64)r * p.stride;
  float v[4][4];
  int first = chunk * Chunk + tid() * 4;
#pragma unroll
  for (int j = 0; j < 4; j++) load4(row, first + j * 1024, p.vocab, v[j]);
  sync_block();
  u64 mass = 0, rest = 0;
  u32 rest_count = 0;
#pragma unroll
  for (int j = 0; j < 4; j++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      u32 delta = delta_of(v[j][i], max, params.temperature), h, l;
      mass_of(delta, h, l);
      u64 units = ((u64)h << 20) + l;
      mass += units;
      if (plain || delta == One) continue;
      int bin = bin_of(delta);
      if (bin == Bins - 1) {
        // Most weights of a peaked row: kept out of the shared bins, where they would all meet.
        rest += units;
        rest_count++;
      } else {
        atomic_add_shared((int *)count + bin, 1);
        atomic_add_shared((int *)high + bin, (int)h);
        atomic_add_shared((int *)low + bin, (int)l);
      }
    }
  }
  mass = warp_sum64(mass);
  if (lane_id() == 0) sums[warp_id()] = mass;
  sync_block();
  if (tid() == 0) {
    u64 sum = 0;
    for (int w = 0; w < 8; w++) sum += sums[w];
    work->chunk_mass[chunk] = sum;
  }
  if (plain) return;
  rest = warp_sum64(rest);
  rest_count = (u32)warp_sum64(rest_count);
  sync_block();
  if (lane_id() == 0) {
    sums[warp_id()] = rest;
    atomic_add_shared((int *)count + Bins - 1, (int)rest_count);
  }
  sync_block();
  if (tid() < Bins) {
    int bin = tid();
    u64 units = ((u64)high[bin] << 20) + low[bin];
    if (bin == Bins - 1) {
      for (int w = 0; w < 8; w++) units += sums[w];
    }
    u32 n = count[bin];
    work->chunk_count[chunk][bin] = (u16)n;
    if (n > 0) {
      add_global(work->count + bin, n);
      add_global(work->mass + bin, units);
    }
  }
  if (!is_last_block(&work->counted, grid_x(), &last)) return;

  // The floor: the first bin with which enough is above it. Lane l has bins 4l … 4l + 3.
  __shared__ u32 chosen;
  if (warp_id() == 0) {
    u64 counts[4], masses[4];
    u64 c = 0, m = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      counts[i] = c += load_shared_by_blocks(work->count + lane_id() * 4 + i);
      masses[i] = m += load_shared_by_blocks(work->mass + lane_id() * 4 + i);
    }
    u64 c_to = warp_scan64(c), m_to = warp_scan64(m);
    u64 total = (u64)shfl((u32)(m_to >> 32), 31) << 32 | shfl((u32)m_to, 31);
    bool by_count = has_top_k(params, p.vocab), by_mass = !by_count && params.top_p < 1.f;
    u64 share = by_mass ? share_of(params.top_p, total) : 0;
    u32 bin = Bins - 1;
#pragma unroll
    for (int i = 3; i >= 0; i--) {
      u64 above = c_to - c + counts[i], mass_above = m_to - m + masses[i];
      if (by_count ? above >= (u64)params.top_k : by_mass && mass_above >= share) bin = min_((int)bin, lane_id() * 4 + i);
    }
    u32 least;
    asm volatile("redux.sync.min.u32 %0, %1, 0xffffffff;" : "=r"(least) : "r"(bin));
    if (!by_count && params.min_p > 0.f) least = min_((int)least, bin_of(One - float_to_bits(fmin_(params.min_p, 1.f))));
    if (lane_id() == 0) {
      chosen = least;
      work->floor = least == Bins - 1 ? One : (least + 1) << 21;
    }
  }
  sync_block();
  // Where each chunk's candidates begin: a warp adds up a chunk's bins.
  __shared__ u32 candidates[MaxChunks];
  for (int c = warp_id(); c < MaxChunks; c += 8) {
    u32 n = 0;
    if (c < grid_x()) {
      for (int bin = lane_id(); bin <= (int)chosen; bin += 32) {
        u16 here;
        asm volatile("ld.relaxed.gpu.global.u16 %0, [%1];" : "=h"(here) : "l"(&work->chunk_count[c][bin]) : "memory");
        n += here;
      }
    }
    n = (u32)warp_sum64(n);
    if (lane_id() == 0) candidates[c] = n;
  }
  sync_block();
  if (warp_id() == 0) {
    u32 a = candidates[2 * lane_id()], b = candidates[2 * lane_id() + 1];
    u32 to = (u32)warp_scan64(a + b);
    work->first[2 * lane_id()] = to - a - b;
    work->first[2 * lane_id() + 1] = to - b;
    if (lane_id() == 31) work->num_candidates = to;
  }
}

KERNEL((256)) sample_gather(const Params p) {
  __shared__ u32 shared[8];
  start_next_if_few();
  int r = bid_y(), chunk = bid_x();
  wait_then_start();
  Row *work = p.work + r;
  RowParams params = p.rows[r];
  if (params.temperature == 0.f || work->status != 0 || is_plain(params, p.vocab) || work->num_candidates > MaxList) return;
  u32 begin = work->first[chunk], end = chunk + 1 < MaxChunks ? work->first[chunk + 1] : work->num_candidates;
  if (begin == end) return;
  const float *row = p.logits + (i64)r * p.stride;
  // A warp has 512 ids: 128 at a time, four a lane. Its counts of each 128 are bytes of one number.
  int first = chunk * Chunk + warp_id() * 512 + lane_id() * 4;
  u32 delta[4][4];
  u32 counts = 0;
#pragma unroll
  for (int j = 0; j < 4; j++) {
    float v[4];
    load4(row, first + j * 128, p.vocab, v);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      delta[j][i] = delta_of(v[i], work->max, params.temperature);
      counts += (delta[j][i] < work->floor ? 1u : 0u) << (8 * j);
    }
  }
  u32 to = counts; // bytes hold 128 at most
  for (int d = 1; d < 32; d <<= 1) {
    u32 other = (u32)__nvvm_shfl_sync_up_i32(0xffffffffu, (int)to, d, 0);
    if (lane_id() >= d) to += other;
  }
  u32 sums = shfl(to, 31);
  u32 of_warp = (sums & 0xff) + (sums >> 8 & 0xff) + (sums >> 16 & 0xff) + (sums >> 24);
  if (lane_id() == 0) shared[warp_id()] = of_warp;
  sync_block();
  u32 at = begin;
  for (int w = 0; w < warp_id(); w++) at += shared[w];
#pragma unroll
  for (int j = 0; j < 4; j++) {
    u32 to_here = at + ((to - counts) >> (8 * j) & 0xff);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (delta[j][i] < work->floor) {
        work->list_id[to_here] = first + j * 128 + i;
        work->list_delta[to_here++] = delta[j][i];
      }
    }
    at += sums >> (8 * j) & 0xff;
  }
}

// ---- the last step: one block a row ----
struct Finish {
  u64 scan[33];
  union {
    u64 keys[MaxList];
    struct {
      u32 count[2048], limb[3][2048]; // 13 bits each
    } level;
    struct {
      u64 mass[MaxChunks];
      u32 equals[MaxChunks];
    } segment;
  };
  u64 above_mass;
  u32 above_count;
  u32 bin;
  u32 bin_count;
  u64 value;
  int place;
};

DEVICE u64 number_in(double uniform, u64 mass) {
  u64 n = (u64)(uniform * (double)mass);
  return n < mass ? n : mass - 1;
}

// Cut of an ordered set of weights: all with a delta below it stay, and the first `num_equal` equal to it.
struct Cut {
  u32 delta;
  u32 num_equal;
};

// The cut where the count, or the mass, of the largest weights reaches `target`; by radix over all of the row. `target` can be reached.
DEVICE Cut select(const Params &p, int r, const RowParams &params, bool by_count, u64 target, Finish &s, u64 &mass) {
  Row *work = p.work + r;
  const float *row = p.logits + (i64)r * p.stride;
  float max = work->max;
  u32 base = 0, size = 0;
  u64 above_count = 0, above_mass = 0;
  // First the row's histogram of quarter octaves, then 11 bits a pass.
  for (int level = 0;; level++) {
    u64 total, c[2] = {}, m[2] = {};
    int bins = level == 0 ? Bins : 2048;
    if (level > 0) {
      int shift = max_(0, 32 - __builtin_clz(size - 1) - 11);
      for (int i = tid(); i < 2048; i += 1024) s.level.count[i] = s.level.limb[0][i] = s.level.limb[1][i] = s.level.limb[2][i] = 0;
      sync_block();
      // Four loads under way a thread.
      for (int start = tid() * 4; start < p.vocab; start += 4 * Chunk) {
        float v[4][4];
#pragma unroll
        for (int j = 0; j < 4; j++) load4(row, start + j * Chunk, p.vocab, v[j]);
#pragma unroll
        for (int i = 0; i < 16; i++) {
          u32 delta = delta_of(v[i >> 2][i & 3], max, params.temperature) - base;
          if (delta >= size) continue;
          u64 units = mass_of(delta + base);
          int bin = delta >> shift;
          atomic_add_shared((int *)s.level.count + bin, 1);
          if (u32 limb = (u32)units & 0x1fff) atomic_add_shared((int *)s.level.limb[0] + bin, (int)limb);
          if (u32 limb = (u32)(units >> 13) & 0x1fff) atomic_add_shared((int *)s.level.limb[1] + bin, (int)limb);
          if (u32 limb = (u32)(units >> 26)) atomic_add_shared((int *)s.level.limb[2] + bin, (int)limb);
        }
      }
      sync_block();
      size = 1u << shift;
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
      int bin = 2 * tid() + i;
      if (bin >= bins) continue;
      if (level == 0) {
        c[i] = work->count[bin];
        m[i] = work->mass[bin];
      } else {
        c[i] = s.level.count[bin];
        m[i] = s.level.limb[0][bin] + ((u64)s.level.limb[1][bin] << 13) + ((u64)s.level.limb[2][bin] << 26);
      }
    }
    u64 c_to = block_scan64(c[0] + c[1], s.scan, total);
    u64 m_to = block_scan64(m[0] + m[1], s.scan, total);
    u64 count = above_count + c_to - c[0] - c[1], units = above_mass + m_to - m[0] - m[1];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      u64 before = by_count ? count : units;
      u64 after = before + (by_count ? c[i] : m[i]);
      if (before < target && after >= target) {
        s.bin = 2 * tid() + i;
        s.above_count = (u32)count;
        s.above_mass = units;
        s.bin_count = (u32)c[i];
      }
      count += c[i];
      units += m[i];
    }
    sync_block();
    above_count = s.above_count;
    above_mass = s.above_mass;
    u32 in_bin = s.bin_count, bin = s.bin;
    sync_block();
    if (level == 0) {
      base = bin << 21;
      size = bin == Bins - 1 ? One - base : 1u << 21;
      continue;
    }
    base += bin * size;
    if (size > 1) continue;
    u64 each = mass_of(base);
    u64 equal = by_count ? target - above_count : each == 0 ? 1 : (target - above_mass + each - 1) / each;
    equal = equal < 1 ? 1 : equal > in_bin ? in_bin : equal;
    mass = above_mass + equal * each;
    return {base, (u32)equal};
  }
}

KERNEL((1024, 1)) sample_finish(const Params p) {
  __shared__ Finish s;
  start_next_if_few();
  int r = bid_x();
  wait_then_start();
  Row *work = p.work + r;
  RowParams params = p.rows[r];
  if (params.temperature == 0.f || work->status != 0) return;
  const float *row = p.logits + (i64)r * p.stride;
  int chunks = ceil_div(p.vocab, Chunk);
  u64 all_mass, to;
  u64 chunk_mass = tid() < chunks ? work->chunk_mass[tid()] : 0;
  to = block_scan64(chunk_mass, s.scan, all_mass);

  if (is_plain(params, p.vocab)) {
    u64 number = number_in(params.uniform, all_mass);
    if (number < to && number >= to - chunk_mass) s.value = number - (to - chunk_mass), s.place = tid();
    sync_block();
    number = s.value;
    int first = s.place * Chunk + tid() * 4;
    float v[4];
    u64 m[4], sum = 0;
    load4(row, first, p.vocab, v);
#pragma unroll
    for (int i = 0; i < 4; i++) sum += m[i] = mass_of(delta_of(v[i], work->max, params.temperature));
    u64 before = block_scan64(sum, s.scan, all_mass) - sum;
    if (number < before || number >= before + sum) return;
    number -= before;
    int i = 0;
#pragma unroll
    for (int j = 0; j < 3; j++) {
      if (i == j && number >= m[j]) number -= m[j], i++;
    }
    p.tokens[r] = first + i;
    return;
  }

  bool top_k = has_top_k(params, p.vocab);
  u32 min_delta = params.min_p > 0.f ? One - float_to_bits(fmin_(params.min_p, 1.f)) : One - 1;
  int n = work->num_candidates;
  if (n <= MaxList) {
    // Sorted by weight, then id: what is kept is a prefix.
    int size = 32;
    while (size < n) size *= 2;
    for (int i = tid(); i < size; i += 1024) s.keys[i] = i < n ? (u64)work->list_delta[i] << 32 | work->list_id[i] : ~0ull;
    sync_block();
    for (int k = 2; k <= size; k *= 2) {
      for (int j = k / 2; j > 0; j /= 2) {
        for (int i = tid(); i < size / 2; i += 1024) {
          int a = 2 * i - (i & (j - 1)), b = a + j;
          u64 x = s.keys[a], y = s.keys[b];
          if ((x > y) == ((a & k) == 0)) s.keys[a] = y, s.keys[b] = x;
        }
        sync_block();
      }
    }
    // Four keys a thread, in order; masses up to each.
    u64 m[4], sum = 0, total, key[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int at = tid() * 4 + i;
      key[i] = at < n ? s.keys[at] : ~0ull;
      sum += m[i] = at < n ? mass_of((u32)(key[i] >> 32)) : 0;
    }
    u64 before = block_scan64(sum, s.scan, total) - sum;
    int most = top_k ? min_(params.top_k, n) : n;
    if (top_k) {
      // The mass that top-k left.
      u64 up_to = before;
#pragma unroll
      for (int i = 0; i < 4; i++) {
        up_to += m[i];
        if (tid() * 4 + i == most - 1) s.value = up_to;
      }
      sync_block();
      all_mass = s.value;
      sync_block();
    }
    if (tid() == 0) s.value = 0;
    sync_block();
    u64 share = params.top_p < 1.f ? share_of(params.top_p, all_mass) : ~0ull;
    // The last one kept: of those within top-k and min-p whose predecessors do not reach the share.
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int at = tid() * 4 + i;
      bool kept = at < most && (u32)(key[i] >> 32) <= min_delta && before < share;
      before += m[i];
      bool next = false;
      if (kept) {
        u64 following = at + 1 < n ? s.keys[at + 1] : ~0ull;
        next = at + 1 < most && (u32)(following >> 32) <= min_delta && before < share;
      }
      if (kept && !next) s.value = key[i], s.above_mass = before;
    }
    sync_block();
    u64 cut = s.value;
    u64 number = number_in(params.uniform, s.above_mass);
    // In order of id now, as the list has them.
    sum = 0;
    u32 id[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int at = tid() * 4 + i;
      m[i] = 0, id[i] = 0;
      if (at < n) {
        id[i] = work->list_id[at];
        u32 delta = work->list_delta[at];
        if (((u64)delta << 32 | id[i]) <= cut) m[i] = mass_of(delta);
      }
      sum += m[i];
    }
    before = block_scan64(sum, s.scan, total) - sum;
    if (number < before || number >= before + sum) return;
    number -= before;
    u32 token = id[3];
    bool found = false;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (!found && number < m[i]) token = id[i], found = true;
      if (!found) number -= m[i];
    }
    p.tokens[r] = (int)token;
    return;
  }

  // Flat rows.
  Cut cut = {One - 1, 0xffffffffu};
  if (top_k) {
    u64 total, c = tid() < Bins ? work->count[tid()] : 0;
    block_scan64(c, s.scan, total);
    if ((u64)params.top_k < total) cut = select(p, r, params, true, params.top_k, s, all_mass);
  }
  if (params.top_p < 1.f) {
    u64 mass;
    Cut by_mass = select(p, r, params, false, share_of(params.top_p, all_mass), s, mass);
    if (by_mass.delta < cut.delta || (by_mass.delta == cut.delta && by_mass.num_equal < cut.num_equal)) cut = by_mass;
  }
  if (min_delta < cut.delta) cut = {min_delta, 0xffffffffu};
  // Each chunk's mass above the cut and its weights equal to it, a warp a chunk; the first chunks' equals are the ones that stay.
  sync_block();
  float max = work->max;
  for (int chunk = warp_id(); chunk < chunks; chunk += 32) {
    u64 above = 0;
    u32 equals = 0;
    for (int start = chunk * Chunk + lane_id() * 4; start < (chunk + 1) * Chunk; start += 4 * 128) {
      float v[4][4];
#pragma unroll
      for (int j = 0; j < 4; j++) load4(row, start + j * 128, p.vocab, v[j]);
#pragma unroll
      for (int i = 0; i < 16; i++) {
        u32 delta = delta_of(v[i >> 2][i & 3], max, params.temperature);
        if (delta < cut.delta) above += mass_of(delta);
        equals += delta == cut.delta;
      }
    }
    above = warp_sum64(above);
    equals = (u32)warp_sum64(equals);
    if (lane_id() == 0) s.segment.mass[chunk] = above, s.segment.equals[chunk] = equals;
  }
  sync_block();
  u64 total, number;
  {
    u64 equals = tid() < chunks ? s.segment.equals[tid()] : 0;
    u64 before = block_scan64(equals, s.scan, total) - equals;
    u64 kept = before >= cut.num_equal ? 0 : equals < cut.num_equal - before ? equals : cut.num_equal - before;
    u64 here = tid() < chunks ? s.segment.mass[tid()] + kept * mass_of(cut.delta) : 0;
    u64 up_to = block_scan64(here, s.scan, total);
    number = number_in(params.uniform, total);
    if (number < up_to && number >= up_to - here) {
      s.value = number - (up_to - here);
      s.place = tid();
      s.above_count = (u32)before;
    }
  }
  sync_block();
  number = s.value;
  u64 ordinal = s.above_count;
  int first = s.place * Chunk + tid() * 4;
  float v[4];
  u64 m[4], sum = 0, equal = 0;
  u32 delta[4];
  load4(row, first, p.vocab, v);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    delta[i] = delta_of(v[i], max, params.temperature);
    equal += delta[i] == cut.delta;
  }
  ordinal += block_scan64(equal, s.scan, total) - equal;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    bool kept = delta[i] < cut.delta || (delta[i] == cut.delta && ordinal < cut.num_equal);
    ordinal += delta[i] == cut.delta;
    sum += m[i] = kept ? mass_of(delta[i]) : 0;
  }
  u64 before = block_scan64(sum, s.scan, total) - sum;
  if (number < before || number >= before + sum) return;
  number -= before;
  int i = 0;
#pragma unroll
  for (int j = 0; j < 3; j++) {
    if (i == j && number >= m[j]) number -= m[j], i++;
  }
  p.tokens[r] = first + i;
}

// ---- changes of logits ahead of it: bias, penalties, bans ----
struct Edit {
  int row;
  int token;
  float bias;       // added first
  float repetition; // then divides what is above 0 and multiplies the rest
  float minus;      // then subtracted
  int banned;       // -infinity
};
struct EditParams {
  float *logits;
  const Edit *edits;      // each (row, token) at most once
  const int *num_edits;   // [1]
  int stride;
};
KERNEL((256)) edit_logits(const EditParams p) {
  start_next_if_few();
  wait_then_start();
  for (int i = bid_x() * block_dim() + tid(); i < *p.num_edits; i += grid_x() * block_dim()) {
    Edit e = p.edits[i];
    float *at = p.logits + (i64)e.row * p.stride + e.token;
    float v = *at + e.bias;
    v = v > 0.f ? v / e.repetition : v * e.repetition;
    *at = e.banned ? -__builtin_inff() : v - e.minus;
  }
}
