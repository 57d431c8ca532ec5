// What every kernel here builds on: CUDA's keywords and registers without NVIDIA's headers, and thin wrappers of PTX instructions.
// Compiled by clang with -nocudainc -nocudalib for sm_80 (the floor) and sm_90a (Hopper); HADAL_SM90 tells which.
#pragma once

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __forceinline__ inline __attribute__((always_inline))
#define DEVICE static __device__ __forceinline__
// Every kernel takes one struct by value: one pointer to pass from the host, and a place for tensor maps.
#define KERNEL(bounds) extern "C" __global__ __launch_bounds__ bounds void

typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
typedef u16 bf16; // Bits; see to_float and to_bf16.
typedef u8 e4m3;  // Bits.

#if __CUDA_ARCH__ >= 900
#define HADAL_SM90 1
#else
#define HADAL_SM90 0
#endif

struct alignas(16) uint4v { u32 x, y, z, w; };
struct alignas(8) uint2v { u32 x, y; };
struct alignas(16) float4v { float x, y, z, w; };
struct alignas(8) float2v { float x, y; };

// ---- where a thread is ----
DEVICE int tid() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE int lane_id() { return __nvvm_read_ptx_sreg_tid_x() & 31; }
DEVICE int warp_id() { return __nvvm_read_ptx_sreg_tid_x() >> 5; }
DEVICE int block_dim() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE int bid_x() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE int bid_y() { return __nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE int bid_z() { return __nvvm_read_ptx_sreg_ctaid_z(); }
DEVICE int grid_x() { return __nvvm_read_ptx_sreg_nctaid_x(); }
DEVICE int grid_y() { return __nvvm_read_ptx_sreg_nctaid_y(); }
DEVICE int grid_z() { return __nvvm_read_ptx_sreg_nctaid_z(); }
DEVICE void sync_block() { __syncthreads(); }
DEVICE void sync_warp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
// Barrier `id` (1..15) among `threads` threads of the block.
DEVICE void sync_named(int id, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
DEVICE void fence_device() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

// ---- the kernel before and after this one in the stream ----
// With programmatic launch a kernel may start while the one before it ends: what that one wrote may be read only after wait_previous(),
// and start_next() lets the next kernel begin. Nothing happens on cards without it, or where a launch does not ask for it.
DEVICE void wait_previous() {
#if HADAL_SM90
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DEVICE void start_next() {
#if HADAL_SM90
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Early, where no block of the grid can be kept waiting by those that come in: all are there already.
DEVICE void start_next_if_one_wave() {
  if (grid_x() * grid_y() * grid_z() <= 132) start_next();
}

// ---- numbers ----
DEVICE float bits_to_float(u32 v) { return __builtin_bit_cast(float, v); }
DEVICE u32 float_to_bits(float v) { return __builtin_bit_cast(u32, v); }
DEVICE float to_float(bf16 v) { return bits_to_float((u32)v << 16); }
DEVICE bf16 to_bf16(float v) {
  bf16 r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(v));
  return r;
}
// Two bf16 in one register, `low` in the lower half.
DEVICE u32 pack_bf16(float low, float high) {
  u32 r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
DEVICE u32 pack_f16(float low, float high) {
  u32 r;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
DEVICE float low_bf16(u32 v) { return bits_to_float(v << 16); }
DEVICE float high_bf16(u32 v) { return bits_to_float(v & 0xffff0000u); }
DEVICE float f16_to_float(u16 v) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(v));
  return r;
}
DEVICE u16 float_to_f16(float v) {
  u16 r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(v));
  return r;
}

DEVICE float fmax_(float a, float b) { return __builtin_fmaxf(a, b); }
DEVICE float fmin_(float a, float b) { return __builtin_fminf(a, b); }
DEVICE float fma_(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
// A product that no compiler makes one rounding of with the sum it goes to.
DEVICE float mul_(float a, float b) {
  float r;
  asm("mul.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
}
DEVICE float exp2_(float v) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}
DEVICE float log2_(float v) {
  float r;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}
DEVICE float exp_(float v) { return exp2_(v * 1.4426950408889634f); }
DEVICE float rsqrt_(float v) {
  float r;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}
DEVICE float rcp_(float v) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
}
DEVICE int min_(int a, int b) { return a < b ? a : b; }
DEVICE int max_(int a, int b) { return a > b ? a : b; }
DEVICE int ceil_div(int a, int b) { return (a + b - 1) / b; }

// ---- warps ----
DEVICE u32 shfl_xor(u32 v, int mask) { return __nvvm_shfl_sync_bfly_i32(0xffffffffu, v, mask, 0x1f); }
DEVICE float shfl_xor(float v, int mask) { return bits_to_float(__nvvm_shfl_sync_bfly_i32(0xffffffffu, float_to_bits(v), mask, 0x1f)); }
DEVICE u32 shfl(u32 v, int lane) { return __nvvm_shfl_sync_idx_i32(0xffffffffu, v, lane, 0x1f); }
DEVICE int shfl(int v, int lane) { return __nvvm_shfl_sync_idx_i32(0xffffffffu, v, lane, 0x1f); }
DEVICE float shfl(float v, int lane) { return bits_to_float(__nvvm_shfl_sync_idx_i32(0xffffffffu, float_to_bits(v), lane, 0x1f)); }
DEVICE float warp_sum(float v) {
  for (int m = 16; m > 0; m >>= 1) v += shfl_xor(v, m);
  return v;
}
DEVICE float warp_max(float v) {
  for (int m = 16; m > 0; m >>= 1) v = fmax_(v, shfl_xor(v, m));
  return v;
}

// ---- memory ----
DEVICE u32 smem_address(const void *p) { return (u32)(u64)(__attribute__((address_space(3))) const void *)p; }
DEVICE uint4v load16(const void *p) { return *(const uint4v *)p; }
DEVICE void store16(void *p, uint4v v) { *(uint4v *)p = v; }
// Read once: past L1, first to leave L2. For weights that one step touches once.
DEVICE uint4v load16_stream(const void *p) {
  uint4v r;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(p));
  return r;
}
DEVICE uint2v load8_stream(const void *p) {
  uint2v r;
  asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(r.x), "=r"(r.y) : "l"(p));
  return r;
}
DEVICE void prefetch_l2(const void *p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }
// 16 bytes global -> shared without registers; `bytes` < 16 fills the rest with zeros.
DEVICE void cp_async16(u32 smem, const void *p, int bytes = 16) { asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(smem), "l"(p), "r"(bytes) : "memory"); }
DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEVICE void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
DEVICE float atomic_add(float *p, float v) {
  float r;
  asm volatile("atom.global.add.f32 %0, [%1], %2;" : "=f"(r) : "l"(p), "f"(v) : "memory");
  return r;
}
DEVICE int atomic_add(int *p, int v) {
  int r;
  asm volatile("atom.global.add.u32 %0, [%1], %2;" : "=r"(r) : "l"(p), "r"(v) : "memory");
  return r;
}
DEVICE int atomic_add_shared(int *p, int v) {
  int r;
  asm volatile("atom.shared.add.u32 %0, [%1], %2;" : "=r"(r) : "r"(smem_address(p)), "r"(v) : "memory");
  return r;
}

// ---- tensor cores, all cards from sm_80 ----
// Fragments of mma.m16n8k16 (lane = 4·g + t): A rows g, g+8, columns 2t, 2t+1, 2t+8, 2t+9; B column (n) g, rows (k) 2t, 2t+1, 2t+8, 2t+9;
// C rows g, g+8, columns 2t, 2t+1.
DEVICE void mma_bf16(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
DEVICE void mma_f16(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
DEVICE void mma_s8(int (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
DEVICE void ldmatrix4(u32 &a, u32 &b, u32 &c, u32 &d, u32 smem) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "r"(smem) : "memory");
}
DEVICE void ldmatrix4_transposed(u32 &a, u32 &b, u32 &c, u32 &d, u32 smem) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "r"(smem) : "memory");
}

// ---- fp8 ----
// Two e4m3 (low byte first) to two f16, exactly. sm_89 has an instruction; before it, shifts: e4m3's 4 exponent bits lie in f16's 5,
// so the value comes out 2^-8 of its size and one multiplication mends it, subnormals included. NaN (0x7f, 0xff) becomes ±480 there.
DEVICE u32 e4m3x2_to_f16x2(u16 v) {
  u32 r;
#if HADAL_SM90
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(r) : "h"(v));
#else
  u32 w = ((u32)v & 0xffu) | (((u32)v & 0xff00u) << 8);
  u32 h = ((w & 0x00800080u) << 8) | ((w & 0x007f007fu) << 7);
  asm("mul.f16x2 %0, %1, %2;" : "=r"(r) : "r"(h), "r"(0x5c005c00u)); // 256
#endif
  return r;
}
#if HADAL_SM90
// Rounds to nearest even and saturates at ±448.
DEVICE u16 pack_e4m3(float low, float high) {
  u16 r;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(r) : "f"(high), "f"(low));
  return r;
}
DEVICE void mma_e4m3(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
#endif

// ---- the step, as every kernel over tokens sees it ----
// Sequences lie one after the other in the step's tokens; a sequence's tokens are its last ones. Rows of KV pages are addressed by slot:
// block_table[position / block_size] · block_size + position % block_size. A padded step has sequences with context_len 0 and slots of -1.
struct Step {
  const int *tokens;        // [num_tokens]
  const int *positions;     // [num_tokens]
  const i64 *slots;         // [num_tokens]
  const int *cu_seq_lens;   // [num_sequences + 1]
  const int *context_lens;  // [num_sequences], the step's tokens included
  const int *block_tables;  // [num_sequences, max_blocks]
  const int *logit_rows;    // [num_logit_rows]
  int num_tokens;
  int num_sequences;
  int num_logit_rows;
  int max_blocks;
  int block_size;
  int reserved;
};
