// Rows of bf16, f32 and e4m3 elements, eight at a time, and sums over a block.
#pragma once
#include "hadal.cuh"

// Nearest, ties to even, saturating at ±448; NaN becomes 0x7f: the bits of pack_e4m3, on cards without the instruction too.
DEVICE e4m3 to_e4m3(float v) {
#if HADAL_SM90
  return (e4m3)pack_e4m3(v, 0.f);
#else
  u32 bits = float_to_bits(v);
  u32 sign = (bits >> 24) & 0x80u;
  u32 a = bits & 0x7fffffffu;
  if (a > 0x7f800000u) return 0x7f;
  if (a >= 0x43e00000u) return (e4m3)(sign | 0x7eu); // 448
  if (a < 0x3c800000u) {                             // 2^-6: subnormal, steps of 2^-9. Adding 2^14 leaves the steps in the last bits, rounded.
    return (e4m3)(sign | (float_to_bits(bits_to_float(a) + 16384.f) & 0xffu));
  }
  a += 0x7ffffu + ((a >> 20) & 1u);
  u32 code = (a >> 20) - (120u << 3);
  return (e4m3)(sign | (code < 0x7eu ? code : 0x7eu));
#endif
}
#if HADAL_SM90
DEVICE u32 pack4_e4m3(float a, float b, float c, float d) { return (u32)pack_e4m3(a, b) | ((u32)pack_e4m3(c, d) << 16); }
#else
// A call: some 80 instructions, which inline would make most of each kernel that writes e4m3.
static __device__ __attribute__((noinline)) u32 pack4_e4m3(float a, float b, float c, float d) {
  return (u32)to_e4m3(a) | ((u32)to_e4m3(b) << 8) | ((u32)to_e4m3(c) << 16) | ((u32)to_e4m3(d) << 24);
}
#endif

// When the next kernel may start. A handful of blocks lets it in at once, so that its weights come in while this one waits; many blocks first
// wait: a chain of kernels let in early fills the card with blocks that wait (64 rows of 7,168 combined: 4.7 us, and 2.7 when it waits first).
DEVICE void start_next_if_few() {
  if (grid_x() * grid_y() <= 16) start_next();
}
DEVICE void wait_then_start() {
  wait_previous();
  start_next();
}

DEVICE void load8(const bf16 *p, float (&v)[8]) {
  uint4v u = load16(p);
  v[0] = low_bf16(u.x), v[1] = high_bf16(u.x), v[2] = low_bf16(u.y), v[3] = high_bf16(u.y);
  v[4] = low_bf16(u.z), v[5] = high_bf16(u.z), v[6] = low_bf16(u.w), v[7] = high_bf16(u.w);
}
DEVICE void load8(const float *p, float (&v)[8]) {
  float4v a = ((const float4v *)p)[0], b = ((const float4v *)p)[1];
  v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}
DEVICE void store8(bf16 *p, const float (&v)[8]) {
  store16(p, {pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])});
}
DEVICE void store8(float *p, const float (&v)[8]) {
  ((float4v *)p)[0] = {v[0], v[1], v[2], v[3]};
  ((float4v *)p)[1] = {v[4], v[5], v[6], v[7]};
}
DEVICE void store8(e4m3 *p, const float (&v)[8]) {
  *(uint2v *)p = {pack4_e4m3(v[0], v[1], v[2], v[3]), pack4_e4m3(v[4], v[5], v[6], v[7])};
}

DEVICE float load1(const bf16 *p) { return to_float(*p); }
DEVICE float load1(const float *p) { return *p; }
DEVICE void store1(bf16 *p, float v) { *p = to_bf16(v); }
DEVICE void store1(float *p, float v) { *p = v; }
DEVICE void store1(e4m3 *p, float v) { *p = to_e4m3(v); }

// An element of a type known at run time only, for the slow kernels of ragged widths.
DEVICE float load_any(const void *p, i64 i, bool is_bf16) { return is_bf16 ? to_float(((const bf16 *)p)[i]) : ((const float *)p)[i]; }
DEVICE void store_any(void *p, i64 i, bool is_bf16, float v) {
  if (is_bf16) {
    ((bf16 *)p)[i] = to_bf16(v);
  } else {
    ((float *)p)[i] = v;
  }
}

// Over all threads of the block, for every one of them; one barrier. `shared` holds 32 floats and may be used again only after another barrier.
DEVICE float block_sum(float v, float *shared) {
  v = warp_sum(v);
  int warps = block_dim() >> 5;
  if (warps == 1) return v;
  if (lane_id() == 0) shared[warp_id()] = v;
  sync_block();
  return warp_sum(lane_id() < warps ? shared[lane_id()] : 0.f);
}
DEVICE float block_max(float v, float *shared) {
  v = warp_max(v);
  int warps = block_dim() >> 5;
  if (warps == 1) return v;
  if (lane_id() == 0) shared[warp_id()] = v;
  sync_block();
  return warp_max(shared[lane_id() < warps ? lane_id() : 0]);
}

// e^v within 2 ulp: v = n·ln 2 + r, so that the hardware's 2^x sees |x| <= 1/2 only, and 2^n is an exponent. 0 below -87.3, infinity above 88.37.
DEVICE float exp_exact(float v) {
  float shifted = fma_(v, 1.4426950408889634f, 12582912.f); // rounds: n is in the low bits
  float n = shifted - 12582912.f;
  float r = fma_(n, -0.693145751953125f, v);
  r = fma_(n, -1.42860682030941723e-6f, r);
  u32 power = (float_to_bits(shifted) - 0x4b400000u + 127u) << 23;
  float result = bits_to_float(power) * exp2_(r * 1.4426950408889634f);
  return v < -87.3f ? 0.f : v > 88.37f ? __builtin_inff() : result; // NaN comes through
}
DEVICE float silu(float v) { return v / (1.f + exp_exact(-v)); }
DEVICE float silu_fast(float v) { return v * rcp_(1.f + exp_(-v)); }
