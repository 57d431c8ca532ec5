// y[t, i] = op(a[t, i], b[t, i]) over rows of bf16 and f32; y may be a or b. Bytes: each input read, each output written once.
#include "rows.cuh"

struct Params {
  const void *a;
  const void *b; // a stride of 0 repeats one row
  void *y;
  int a_stride;
  int b_stride;
  int y_stride;
  int width;
  int op; // these four for map_ragged alone
  int a_is_bf16;
  int b_is_bf16;
  int y_is_bf16;
};

struct Add { DEVICE float apply(float a, float b) { return a + b; } };
struct Mul { DEVICE float apply(float a, float b) { return a * b; } };
struct Silu { DEVICE float apply(float a, float) { return silu(a); } };
struct SiluMul { DEVICE float apply(float a, float b) { return silu(a) * b; } };
struct Copy { DEVICE float apply(float a, float) { return a; } };

// A block takes 2,048 columns of one row; the width is a multiple of 8.
template <class Op, class A, class B, class Y, bool Unary = false> DEVICE void map(const Params &p) {
  start_next_if_few();
  int column = (bid_y() * block_dim() + tid()) * 8;
  wait_then_start();
  if (column >= p.width) return;
  float a[8], b[8];
  load8((const A *)p.a + (i64)bid_x() * p.a_stride + column, a);
  if constexpr (!Unary) load8((const B *)p.b + (i64)bid_x() * p.b_stride + column, b);
#pragma unroll
  for (int i = 0; i < 8; i++) a[i] = Op::apply(a[i], Unary ? 0.f : b[i]);
  store8((Y *)p.y + (i64)bid_x() * p.y_stride + column, a);
}

KERNEL((256)) add_f32_f32_f32(const Params p) { map<Add, float, float, float>(p); }
KERNEL((256)) add_f32_bf16_f32(const Params p) { map<Add, float, bf16, float>(p); }
KERNEL((256)) add_bf16_bf16_f32(const Params p) { map<Add, bf16, bf16, float>(p); }
KERNEL((256)) add_bf16_bf16_bf16(const Params p) { map<Add, bf16, bf16, bf16>(p); }
KERNEL((256)) add_bf16_f32_bf16(const Params p) { map<Add, bf16, float, bf16>(p); }
KERNEL((256)) add_f32_bf16_bf16(const Params p) { map<Add, float, bf16, bf16>(p); }
KERNEL((256)) mul_f32_f32_f32(const Params p) { map<Mul, float, float, float>(p); }
KERNEL((256)) mul_bf16_bf16_bf16(const Params p) { map<Mul, bf16, bf16, bf16>(p); }
KERNEL((256)) silu_mul_f32_f32_f32(const Params p) { map<SiluMul, float, float, float>(p); }
KERNEL((256)) silu_mul_f32_f32_bf16(const Params p) { map<SiluMul, float, float, bf16>(p); }
KERNEL((256)) silu_mul_bf16_bf16_bf16(const Params p) { map<SiluMul, bf16, bf16, bf16>(p); }
KERNEL((256)) silu_f32_f32(const Params p) { map<Silu, float, float, float, true>(p); }
KERNEL((256)) silu_bf16_bf16(const Params p) { map<Silu, bf16, bf16, bf16, true>(p); }
KERNEL((256)) copy_f32_bf16(const Params p) { map<Copy, float, float, bf16, true>(p); }
KERNEL((256)) copy_bf16_f32(const Params p) { map<Copy, bf16, bf16, float, true>(p); }
KERNEL((256)) copy_f32_f32(const Params p) { map<Copy, float, float, float, true>(p); }
KERNEL((256)) copy_bf16_bf16(const Params p) { map<Copy, bf16, bf16, bf16, true>(p); }

// Every width, operation and mixture of types, element by element.
KERNEL((256)) map_ragged(const Params p) {
  start_next_if_few();
  int i = bid_y() * block_dim() + tid();
  wait_then_start();
  if (i >= p.width) return;
  float a = load_any(p.a, (i64)bid_x() * p.a_stride + i, p.a_is_bf16);
  float b = p.op < 3 ? load_any(p.b, (i64)bid_x() * p.b_stride + i, p.b_is_bf16) : 0.f;
  float v = p.op == 0 ? a + b : p.op == 1 ? a * b : p.op == 2 ? silu(a) * b : p.op == 3 ? silu(a) : a;
  store_any(p.y, (i64)bid_x() * p.y_stride + i, p.y_is_bf16, v);
}
