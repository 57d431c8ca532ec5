// Rotary embedding and the write into KV pages: the table of cosines and sines of a step, and one kernel for everything between the
// q|k|v projection and attention: rotate q in place, rotate k, write k and v to their pages, after norming the heads of q and k or not.
// Bytes a token: q read and written, k and v read and written once. At one token it is latency: one launch instead of two to four.
#include "rows.cuh"

struct TableParams {
  const int *positions;   // [T]
  const float *frequency; // [half]
  float *table;           // [T, 2 · half]: cosines, then sines
  int stride;
  int half;
  int num_tokens;
  float magnitude;
};

// The angle is the float32 product of position and frequency, as the models' own code has it; its sine and cosine are right to the
// last bit or the one before at every position: reduced to ±pi/4 in double precision and summed as a Taylor series there (the first
// term left out is under 1e-16).
KERNEL((128)) rope_table(const TableParams p) {
  start_next_if_few();
  int index = bid_x() * block_dim() + tid();
  int t = index / p.half, i = index - t * p.half;
  wait_then_start();
  if (t >= p.num_tokens) return;
  float product; // asm, so that the rounding to float32 stays
  asm("mul.rn.f32 %0, %1, %2;" : "=f"(product) : "f"((float)p.positions[t]), "f"(p.frequency[i]));
  double angle = product;
  int quarter;
  asm("cvt.rni.s32.f64 %0, %1;" : "=r"(quarter) : "d"(angle * 0.63661977236758134308));
  double x = __builtin_fma((double)-quarter, 1.57079632679489655800, angle);
  x = __builtin_fma((double)-quarter, 6.12323399573676603587e-17, x);
  double s = x * x;
  double sine = 1. / 1307674368000.;
  sine = __builtin_fma(sine, -s, 1. / 6227020800.);
  sine = __builtin_fma(sine, -s, 1. / 39916800.);
  sine = __builtin_fma(sine, -s, 1. / 362880.);
  sine = __builtin_fma(sine, -s, 1. / 5040.);
  sine = __builtin_fma(sine, -s, 1. / 120.);
  sine = __builtin_fma(sine, -s, 1. / 6.);
  sine = __builtin_fma(sine, -s, 1.) * x;
  double cosine = 1. / 20922789888000.;
  cosine = __builtin_fma(cosine, -s, 1. / 87178291200.);
  cosine = __builtin_fma(cosine, -s, 1. / 479001600.);
  cosine = __builtin_fma(cosine, -s, 1. / 3628800.);
  cosine = __builtin_fma(cosine, -s, 1. / 40320.);
  cosine = __builtin_fma(cosine, -s, 1. / 720.);
  cosine = __builtin_fma(cosine, -s, 1. / 24.);
  cosine = __builtin_fma(cosine, -s, 1. / 2.);
  cosine = __builtin_fma(cosine, -s, 1.);
  float c = (float)(quarter & 1 ? sine : cosine), n = (float)(quarter & 1 ? cosine : sine);
  if ((quarter + 1) & 2) c = -c;
  if (quarter & 2) n = -n;
  float *row = p.table + (i64)t * p.stride;
  row[i] = c * p.magnitude;
  row[p.half + i] = n * p.magnitude;
}

struct Params {
  const float *table; // [T, 2 · half]
  const i64 *slots;   // [T]; below 0: nothing is written to the pages
  const void *q;      // [T, q_heads · head_dim]; all four bf16, or f32 where the pages are
  void *q_out;        // the same as q, or apart from it
  const void *k;      // [T, k_heads · head_dim]
  const void *v;      // [T, v_width]
  void *pages;        // rows of [k | v]
  const float *q_norm; // [head_dim], these two for norm_rope_kv_write alone
  const float *k_norm;
  int table_stride;
  int q_stride;
  int q_out_stride;
  int k_stride;
  int v_stride;
  int head_dim;
  int start; // columns start … start + 2 · half of a head are rotated
  int half;
  int interleaved; // pairs (2i, 2i + 1), else (i, i + half)
  int k_width;
  int v_width;
  // How many units of each kind a token has. A rotated unit is V pairs, a copied one V columns.
  int q_rotated;
  int k_rotated;
  int q_copied;
  int k_copied;
  int v_copied;
  float eps;
};

template <int V> struct Unit {
  template <class T> DEVICE void load(const T *p, float (&v)[V]) {
    if constexpr (V == 8) {
      load8(p, v);
    } else {
      v[0] = load1(p);
    }
  }
  template <class T> DEVICE void store(T *p, const float (&v)[V]) {
    if constexpr (V == 8) {
      store8(p, v);
    } else {
      store1(p, v[0]);
    }
  }
  // Pairs of one unit at p, whose layout is interleaved or halves apart.
  template <class T> DEVICE void load_pairs(const T *p, int unit, int half, bool interleaved, float (&a)[V], float (&b)[V]) {
    if (!interleaved) {
      load(p + unit * V, a);
      load(p + half + unit * V, b);
      return;
    }
    float x[V], y[V];
    load(p + unit * 2 * V, x);
    load(p + unit * 2 * V + V, y);
#pragma unroll
    for (int i = 0; i < V; i++) {
      a[i] = 2 * i < V ? x[2 * i % V] : y[2 * i % V];
      b[i] = 2 * i + 1 < V ? x[(2 * i + 1) % V] : y[(2 * i + 1) % V];
    }
  }
  template <class T> DEVICE void store_pairs(T *p, int unit, int half, bool interleaved, const float (&a)[V], const float (&b)[V]) {
    if (!interleaved) {
      store(p + unit * V, a);
      store(p + half + unit * V, b);
      return;
    }
    float x[V], y[V];
#pragma unroll
    for (int i = 0; i < V; i++) {
      x[i] = i & 1 ? b[i / 2] : a[i / 2];
      y[i] = (V + i) & 1 ? b[(V + i) / 2] : a[(V + i) / 2];
    }
    store(p + unit * 2 * V, x);
    store(p + unit * 2 * V + V, y);
  }
  DEVICE void rotate(const float *cos, int unit, int half, float (&a)[V], float (&b)[V]) {
    float c[V], s[V];
    load(cos + unit * V, c);
    load(cos + half + unit * V, s);
#pragma unroll
    for (int i = 0; i < V; i++) {
      float x = a[i] * c[i] - b[i] * s[i];
      b[i] = b[i] * c[i] + a[i] * s[i];
      a[i] = x;
    }
  }
};

// A thread takes one unit of a token. V is 8 where start, half, head_dim and the widths are multiples of 8, else 1.
// With Norm the units of a head are a power of two, and a head is wholly rotated: its lanes add up its squares.
template <class X, class Page, int V, bool Norm> DEVICE void rope_kv_write(const Params &p) {
  using U = Unit<V>;
  const X *q = (const X *)p.q, *k = (const X *)p.k, *v = (const X *)p.v;
  X *q_out = (X *)p.q_out;
  start_next_if_few();
  int t = bid_y();
  int i = bid_x() * block_dim() + tid();
  int units = p.half / V;
  bool is_q = i < p.q_rotated;
  int r = is_q ? i : i - p.q_rotated;
  bool is_rotated = is_q || r < p.k_rotated;
  int head = 0, unit = 0;
  float wa[V], wb[V];
  if (is_rotated) {
    head = r / units;
    unit = r - head * units;
    if constexpr (Norm) U::load_pairs(is_q ? p.q_norm : p.k_norm, unit, p.half, p.interleaved, wa, wb);
  }
  wait_then_start();
  i64 slot = p.slots ? p.slots[t] : -1;
  Page *page = (Page *)p.pages + slot * (p.k_width + p.v_width);
  float a[V], b[V];
  int at = head * p.head_dim + p.start;
  if (is_rotated) U::load_pairs((is_q ? q + (i64)t * p.q_stride : k + (i64)t * p.k_stride) + at, unit, p.half, p.interleaved, a, b);
  if constexpr (Norm) {
    float squares = 0;
    if (is_rotated) {
#pragma unroll
      for (int j = 0; j < V; j++) squares += a[j] * a[j] + b[j] * b[j];
    }
#pragma unroll 1
    for (int m = units >> 1; m > 0; m >>= 1) squares += shfl_xor(squares, m);
    float inverse = rsqrt_(squares * rcp_((float)p.head_dim) + p.eps);
    if (is_rotated) {
#pragma unroll
      for (int j = 0; j < V; j++) {
        a[j] = a[j] * inverse * wa[j];
        b[j] = b[j] * inverse * wb[j];
      }
    }
  }
  if (is_rotated) {
    U::rotate(p.table + (i64)t * p.table_stride, unit, p.half, a, b);
    if (is_q) {
      U::store_pairs(q_out + (i64)t * p.q_out_stride + at, unit, p.half, p.interleaved, a, b);
    } else if (slot >= 0) {
      U::store_pairs(page + at, unit, p.half, p.interleaved, a, b);
    }
    return;
  }
  r -= p.k_rotated;
  if (r >= p.q_copied + p.k_copied + p.v_copied) return;
  bool is_v = r >= p.q_copied + p.k_copied;
  is_q = r < p.q_copied;
  if (!is_q && slot < 0) return;
  int column;
  if (is_v) {
    column = (r - p.q_copied - p.k_copied) * V;
  } else {
    // The columns of a head that are not rotated, in order.
    if (!is_q) r -= p.q_copied;
    int per_head = (p.head_dim - 2 * p.half) / V;
    head = r / per_head;
    column = (r - head * per_head) * V;
    if (column >= p.start) column += 2 * p.half;
    column += head * p.head_dim;
  }
  U::load(is_v ? v + (i64)t * p.v_stride + column : is_q ? q + (i64)t * p.q_stride + column : k + (i64)t * p.k_stride + column, a);
  if (is_q) {
    U::store(q_out + (i64)t * p.q_out_stride + column, a);
  } else {
    U::store(page + (is_v ? p.k_width + column : column), a);
  }
}

KERNEL((128)) rope_kv_write_bf16(const Params p) { rope_kv_write<bf16, bf16, 8, false>(p); }
KERNEL((128)) rope_kv_write_e4m3(const Params p) { rope_kv_write<bf16, e4m3, 8, false>(p); }
KERNEL((128)) rope_kv_write_ragged_bf16(const Params p) { rope_kv_write<bf16, bf16, 1, false>(p); }
KERNEL((128)) rope_kv_write_ragged_e4m3(const Params p) { rope_kv_write<bf16, e4m3, 1, false>(p); }
KERNEL((128)) norm_rope_kv_write_bf16(const Params p) { rope_kv_write<bf16, bf16, 8, true>(p); }
KERNEL((128)) norm_rope_kv_write_e4m3(const Params p) { rope_kv_write<bf16, e4m3, 8, true>(p); }
KERNEL((128)) rope_kv_write_f32(const Params p) { rope_kv_write<float, float, 8, false>(p); }
KERNEL((128)) rope_kv_write_ragged_f32(const Params p) { rope_kv_write<float, float, 1, false>(p); }
KERNEL((128)) norm_rope_kv_write_f32(const Params p) { rope_kv_write<float, float, 8, true>(p); }

struct MlaParams {
  const void *kv;      // [T, latent + 2 · half]: a slice of the joined projection; bf16, or f32 where the pages are
  const float *weight; // [latent]
  const float *table;  // [T, 2 · half]
  const i64 *slots;    // [T]
  void *pages;         // rows of [latent | rotated key]
  void *q;             // [T, q_heads · q_head_dim] of kv's type, rotated in place; null for none
  int kv_stride;
  int table_stride;
  int q_stride;
  int latent;
  int half;
  int interleaved;
  int q_head_dim;
  int q_start;
  int q_rotated; // units of q a token
  float eps;
};

// Block (t, 0) norms token t's latent, rotates its key and writes both; blocks (t, 1 …) rotate its queries.
template <class X, class Page, int V> DEVICE void mla_norm_rope_kv_write(const MlaParams &p) {
  using U = Unit<V>;
  __shared__ float partial[32];
  start_next_if_few();
  int t = bid_x();
  int units = p.half / V;
  wait_then_start();
  const float *cos = p.table + (i64)t * p.table_stride;
  float a[V], b[V];
  if (bid_y() > 0) {
    int i = (bid_y() - 1) * block_dim() + tid();
    if (i >= p.q_rotated) return;
    int head = i / units, unit = i - head * units;
    X *q = (X *)p.q + (i64)t * p.q_stride + head * p.q_head_dim + p.q_start;
    U::load_pairs((const X *)q, unit, p.half, p.interleaved, a, b);
    U::rotate(cos, unit, p.half, a, b);
    U::store_pairs(q, unit, p.half, p.interleaved, a, b);
    return;
  }
  i64 slot = p.slots[t];
  if (slot < 0) return;
  const X *kv = (const X *)p.kv + (i64)t * p.kv_stride;
  float squares = 0;
#pragma unroll 1
  for (int column = tid() * V; column < p.latent; column += block_dim() * V) {
    U::load(kv + column, a);
#pragma unroll
    for (int i = 0; i < V; i++) squares = fma_(a[i], a[i], squares);
  }
  float inverse = rsqrt_(block_sum(squares, partial) * rcp_((float)p.latent) + p.eps);
  Page *page = (Page *)p.pages + slot * (p.latent + 2 * p.half);
  int latents = p.latent / V;
#pragma unroll 1
  for (int i = tid(); i < latents + units; i += block_dim()) {
    if (i < latents) {
      U::load(kv + i * V, a);
      U::load(p.weight + i * V, b);
#pragma unroll
      for (int j = 0; j < V; j++) a[j] = a[j] * inverse * b[j];
      U::store(page + i * V, a);
    } else {
      U::load_pairs(kv + p.latent, i - latents, p.half, p.interleaved, a, b);
      U::rotate(cos, i - latents, p.half, a, b);
      U::store_pairs(page + p.latent, i - latents, p.half, p.interleaved, a, b);
    }
  }
}

KERNEL((128)) mla_norm_rope_kv_write_bf16(const MlaParams p) { mla_norm_rope_kv_write<bf16, bf16, 8>(p); }
KERNEL((128)) mla_norm_rope_kv_write_e4m3(const MlaParams p) { mla_norm_rope_kv_write<bf16, e4m3, 8>(p); }
KERNEL((128)) mla_norm_rope_kv_write_ragged_bf16(const MlaParams p) { mla_norm_rope_kv_write<bf16, bf16, 1>(p); }
KERNEL((128)) mla_norm_rope_kv_write_ragged_e4m3(const MlaParams p) { mla_norm_rope_kv_write<bf16, e4m3, 1>(p); }
KERNEL((128)) mla_norm_rope_kv_write_f32(const MlaParams p) { mla_norm_rope_kv_write<float, float, 8>(p); }
KERNEL((128)) mla_norm_rope_kv_write_ragged_f32(const MlaParams p) { mla_norm_rope_kv_write<float, float, 1>(p); }
