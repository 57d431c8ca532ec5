// Paged attention in plain loops, for widths that the tensor cores' kernels are not made for (any head, key and value width) and for float32.
// A block computes one head of one token. Serves grouped queries and latents alike: a key and a value are columns of a page row.
#include "attention.cuh"

struct Args {
  Step step;
  const void *q; // bf16, or f32 over pages of f32; o alike
  void *o;
  const u8 *pages;
  int q_stride;
  int o_stride;
  int group;       // heads that share a key
  int key_width;
  int value_width;
  int row_width;   // elements of a page row
  int value_first; // column of head 0's value
  float scale;     // times log2 e
};

DEVICE float element(const bf16 *p) { return to_float(*p); }
DEVICE float element(const float *p) { return *p; }
DEVICE float element(const e4m3 *p) { return low_bf16(e4m3x4_to_bf16x4(*p).x); }

DEVICE void put(bf16 *p, float v) { *p = to_bf16(v); }
DEVICE void put(float *p, float v) { *p = v; }

template <class X, class E> DEVICE void attend(const Args &p) {
  float *weights = (float *)smem;     // [128]
  float *exchange = weights + 128;    // [8]
  float *query = exchange + 8;        // [key_width]
  float *sums = query + p.key_width;  // [value_width]

  const int head = bid_x(), token = bid_y();
  int low = 0, high = p.step.num_sequences; // The last sequence that begins at or before the token.
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (p.step.cu_seq_lens[middle] <= token) low = middle;
    else high = middle;
  }
  const int end = p.step.cu_seq_lens[low + 1], context = p.step.context_lens[low];
  const int visible = token < end && context > 0 ? context - (end - token) + 1 : 0;
  const int *table = p.step.block_tables + (i64)low * p.step.max_blocks;
  const E *keys = (const E *)p.pages + head / p.group * p.key_width;
  const E *values = (const E *)p.pages + p.value_first + head / p.group * p.value_width;
  wait_previous();
  start_next();

  for (int i = tid(); i < p.key_width; i += 128) query[i] = element((const X *)p.q + (i64)token * p.q_stride + head * p.key_width + i);
  for (int i = tid(); i < p.value_width; i += 128) sums[i] = 0;
  sync_block();
  float maximum = NEGATIVE_INFINITY, total = 0;
  for (int first = 0; first < visible; first += 128) {
    const int key = first + tid();
    float score = NEGATIVE_INFINITY;
    if (key < visible) {
      const E *row = keys + (i64)slot_of(p.step, table, key) * p.row_width;
      score = 0;
      for (int i = 0; i < p.key_width; i++) score = fma_(query[i], element(row + i), score);
      score *= p.scale;
    }
    const float warp_top = warp_max(score);
    if (lane_id() == 0) exchange[warp_id()] = warp_top;
    sync_block();
    const float top = fmax_(maximum, fmax_(fmax_(exchange[0], exchange[1]), fmax_(exchange[2], exchange[3])));
    const float shrink = exp2_(maximum - top);
    const float weight = key < visible ? exp2_(score - top) : 0.0f;
    maximum = top;
    weights[tid()] = weight;
    const float warp_total = warp_sum(weight);
    if (lane_id() == 0) exchange[4 + warp_id()] = warp_total;
    sync_block();
    total = total * shrink + ((exchange[4] + exchange[5]) + (exchange[6] + exchange[7]));
    const int count = min_(128, visible - first);
    for (int i = tid(); i < p.value_width; i += 128) {
      float sum = sums[i] * shrink;
      for (int k = 0; k < count; k++) sum = fma_(weights[k], element(values + (i64)slot_of(p.step, table, first + k) * p.row_width + i), sum);
      sums[i] = sum;
    }
    sync_block();
  }
  const float f = total > 0 ? 1.0f / total : 0.0f;
  for (int i = tid(); i < p.value_width; i += 128) put((X *)p.o + (i64)token * p.o_stride + head * p.value_width + i, sums[i] * f);
}

KERNEL((128)) attend_bf16(const Args p) { attend<bf16, bf16>(p); }
KERNEL((128)) attend_e4m3(const Args p) { attend<bf16, e4m3>(p); }
KERNEL((128)) attend_f32(const Args p) { attend<float, float>(p); }
