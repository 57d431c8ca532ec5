// Hopper's warpgroup matrix instructions, its tensor copies and barriers, for the matmuls of many rows.
#pragma once
#include "hadal.cuh"

#if HADAL_SM90

// ---- barriers in shared memory (addresses as smem_address gives them) ----
DEVICE void barrier_init(u32 bar, int count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(bar), "r"(count) : "memory"); }
DEVICE void barrier_init_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
DEVICE void barrier_expect(u32 bar, u32 bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar), "r"(bytes) : "memory"); }
DEVICE bool barrier_try(u32 bar, u32 parity) {
  u32 done;
  asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}" : "=r"(done) : "r"(bar), "r"(parity) : "memory");
  return done != 0;
}
DEVICE void barrier_wait(u32 bar, u32 parity) {
  while (!barrier_try(bar, parity)) {}
}
DEVICE void barrier_arrive(u32 bar) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(bar) : "memory"); }
// Counts 128 threads at named barrier `id` without waiting; 128 others wait there by sync_named(id, 256).
DEVICE void arrive_named(int id) { asm volatile("bar.arrive %0, 256;" ::"r"(id) : "memory"); }
DEVICE u32 cluster_rank() {
  u32 r;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
  return r;
}
DEVICE u32 cluster_size() {
  u32 r;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(r));
  return r;
}
DEVICE void cluster_sync() { asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory"); }

// Shared memory of block `rank` of the cluster, at the place of this block's address.
DEVICE u32 cluster_address(u32 smem, u32 rank) {
  u32 r;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(r) : "r"(smem), "r"(rank));
  return r;
}
DEVICE void load_cluster(float (&v)[4], u32 smem) {
  asm volatile("ld.shared::cluster.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3]) : "r"(smem) : "memory");
}
DEVICE void load_cluster(int (&v)[4], u32 smem) {
  asm volatile("ld.shared::cluster.v4.s32 {%0,%1,%2,%3}, [%4];" : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "r"(smem) : "memory");
}
DEVICE void store_shared(u32 smem, float a, float b, float c, float d) {
  asm volatile("st.shared.v4.f32 [%0], {%1,%2,%3,%4};" ::"r"(smem), "f"(a), "f"(b), "f"(c), "f"(d) : "memory");
}
DEVICE void store_shared(u32 smem, int a, int b, int c, int d) {
  asm volatile("st.shared.v4.s32 [%0], {%1,%2,%3,%4};" ::"r"(smem), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}

// ---- tensor copies: the box at (column, row) of the map; it counts its bytes at the barrier ----
DEVICE void tensor_load(u32 smem, u64 map, int column, int row, u32 bar) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
      ::"r"(smem), "l"(map), "r"(column), "r"(row), "r"(bar) : "memory");
}
DEVICE void prefetch_map(u64 map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }

// ---- wgmma ----
// A tile in shared memory: rows of 128 bytes along K, 16-byte pieces exchanged by the 128-byte swizzle, eight rows an atom of 1,024 bytes.
DEVICE u64 tile_descriptor(u32 smem) { return (u64)(smem >> 4) | (1ull << 16) | (64ull << 32) | (1ull << 62); }
template <int N> DEVICE void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }

#define WGMMA_R32  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define WGMMA_R64 WGMMA_R32 "," "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define WGMMA_R96 WGMMA_R64 "," "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"
#define WGMMA_R128 WGMMA_R96 "," "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define WGMMA_R16  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define WGMMA_R48 WGMMA_R32 "," "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47"
#define WGMMA_R80 WGMMA_R64 "," "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79"
#define WGMMA_R112 WGMMA_R96 "," "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111"
#define WGMMA_F4(c, o) "+f"(c[o]), "+f"(c[o + 1]), "+f"(c[o + 2]), "+f"(c[o + 3])
#define WGMMA_F16(c, o) WGMMA_F4(c, o), WGMMA_F4(c, o + 4), WGMMA_F4(c, o + 8), WGMMA_F4(c, o + 12)
#define WGMMA_F32(c) WGMMA_F16(c, 0), WGMMA_F16(c, 16)
#define WGMMA_F48(c) WGMMA_F32(c), WGMMA_F16(c, 32)
#define WGMMA_F64(c) WGMMA_F48(c), WGMMA_F16(c, 48)
#define WGMMA_F80(c) WGMMA_F64(c), WGMMA_F16(c, 64)
#define WGMMA_F96(c) WGMMA_F80(c), WGMMA_F16(c, 80)
#define WGMMA_F112(c) WGMMA_F96(c), WGMMA_F16(c, 96)
#define WGMMA_F128(c) WGMMA_F112(c), WGMMA_F16(c, 112)

#define WGMMA_I4(c, o) "+r"(c[o]), "+r"(c[o + 1]), "+r"(c[o + 2]), "+r"(c[o + 3])
#define WGMMA_I16(c, o) WGMMA_I4(c, o), WGMMA_I4(c, o + 4), WGMMA_I4(c, o + 8), WGMMA_I4(c, o + 12)
#define WGMMA_I32(c) WGMMA_I16(c, 0), WGMMA_I16(c, 16)
#define WGMMA_I48(c) WGMMA_I32(c), WGMMA_I16(c, 32)
#define WGMMA_I64(c) WGMMA_I48(c), WGMMA_I16(c, 48)
#define WGMMA_I80(c) WGMMA_I64(c), WGMMA_I16(c, 64)
#define WGMMA_I96(c) WGMMA_I80(c), WGMMA_I16(c, 80)
#define WGMMA_I112(c) WGMMA_I96(c), WGMMA_I16(c, 96)
#define WGMMA_I128(c) WGMMA_I112(c), WGMMA_I16(c, 112)

// One stage of a tile: 64 rows x SHAPE's n columns, four instructions along 128 bytes of K, one commit group. `fresh` = 0 overwrites the sums.
#define WGMMA_STAGE(SHAPE, LIST, FLAGS, OUT) \
  asm volatile("{\n.reg .pred p, q;\n.reg .b64 a, b;\n" \
      "setp.ne.b32 p, %[keep], 0;\nsetp.eq.b32 q, %[keep], %[keep];\n" \
      "wgmma.fence.sync.aligned;\n" \
      "wgmma.mma_async.sync.aligned." SHAPE " {" LIST "}, %[a], %[b], p" FLAGS ";\n" \
      "add.s64 a, %[a], 2;\nadd.s64 b, %[b], 2;\n" \
      "wgmma.mma_async.sync.aligned." SHAPE " {" LIST "}, a, b, q" FLAGS ";\n" \
      "add.s64 a, %[a], 4;\nadd.s64 b, %[b], 4;\n" \
      "wgmma.mma_async.sync.aligned." SHAPE " {" LIST "}, a, b, q" FLAGS ";\n" \
      "add.s64 a, %[a], 6;\nadd.s64 b, %[b], 6;\n" \
      "wgmma.mma_async.sync.aligned." SHAPE " {" LIST "}, a, b, q" FLAGS ";\n" \
      "wgmma.commit_group.sync.aligned;\n}" \
      : OUT : [a] "l"(a), [b] "l"(b), [keep] "r"(keep) : "memory")

struct Bf16 { static constexpr int bytes = 2; typedef float sum; };
struct E4m3 { static constexpr int bytes = 1; typedef float sum; };
struct S8 { static constexpr int bytes = 1; typedef int sum; };
template <class F, int N> struct Wgmma;
template <> struct Wgmma<Bf16, 64> {
  DEVICE void stage(Bf16::sum (&c)[32], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n64k16.f32.bf16.bf16", WGMMA_R32, ", 1, 1, 0, 0", WGMMA_F32(c)); }
  DEVICE void drain(Bf16::sum (&c)[32]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F32(c)::"memory"); }
};
template <> struct Wgmma<Bf16, 128> {
  DEVICE void stage(Bf16::sum (&c)[64], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n128k16.f32.bf16.bf16", WGMMA_R64, ", 1, 1, 0, 0", WGMMA_F64(c)); }
  DEVICE void drain(Bf16::sum (&c)[64]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F64(c)::"memory"); }
};
template <> struct Wgmma<Bf16, 192> {
  DEVICE void stage(Bf16::sum (&c)[96], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n192k16.f32.bf16.bf16", WGMMA_R96, ", 1, 1, 0, 0", WGMMA_F96(c)); }
  DEVICE void drain(Bf16::sum (&c)[96]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F96(c)::"memory"); }
};
template <> struct Wgmma<Bf16, 224> {
  DEVICE void stage(Bf16::sum (&c)[112], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n224k16.f32.bf16.bf16", WGMMA_R112, ", 1, 1, 0, 0", WGMMA_F112(c)); }
  DEVICE void drain(Bf16::sum (&c)[112]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F112(c)::"memory"); }
};
template <> struct Wgmma<Bf16, 256> {
  DEVICE void stage(Bf16::sum (&c)[128], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n256k16.f32.bf16.bf16", WGMMA_R128, ", 1, 1, 0, 0", WGMMA_F128(c)); }
  DEVICE void drain(Bf16::sum (&c)[128]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F128(c)::"memory"); }
};
template <> struct Wgmma<E4m3, 64> {
  DEVICE void stage(E4m3::sum (&c)[32], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n64k32.f32.e4m3.e4m3", WGMMA_R32, ", 1, 1", WGMMA_F32(c)); }
  DEVICE void drain(E4m3::sum (&c)[32]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F32(c)::"memory"); }
};
template <> struct Wgmma<E4m3, 128> {
  DEVICE void stage(E4m3::sum (&c)[64], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n128k32.f32.e4m3.e4m3", WGMMA_R64, ", 1, 1", WGMMA_F64(c)); }
  DEVICE void drain(E4m3::sum (&c)[64]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F64(c)::"memory"); }
};
template <> struct Wgmma<E4m3, 192> {
  DEVICE void stage(E4m3::sum (&c)[96], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n192k32.f32.e4m3.e4m3", WGMMA_R96, ", 1, 1", WGMMA_F96(c)); }
  DEVICE void drain(E4m3::sum (&c)[96]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F96(c)::"memory"); }
};
template <> struct Wgmma<E4m3, 224> {
  DEVICE void stage(E4m3::sum (&c)[112], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n224k32.f32.e4m3.e4m3", WGMMA_R112, ", 1, 1", WGMMA_F112(c)); }
  DEVICE void drain(E4m3::sum (&c)[112]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F112(c)::"memory"); }
};
template <> struct Wgmma<E4m3, 256> {
  DEVICE void stage(E4m3::sum (&c)[128], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n256k32.f32.e4m3.e4m3", WGMMA_R128, ", 1, 1", WGMMA_F128(c)); }
  DEVICE void drain(E4m3::sum (&c)[128]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_F128(c)::"memory"); }
};
template <> struct Wgmma<S8, 64> {
  DEVICE void stage(S8::sum (&c)[32], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n64k32.s32.s8.s8", WGMMA_R32, "", WGMMA_I32(c)); }
  DEVICE void drain(S8::sum (&c)[32]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_I32(c)::"memory"); }
};
template <> struct Wgmma<S8, 128> {
  DEVICE void stage(S8::sum (&c)[64], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n128k32.s32.s8.s8", WGMMA_R64, "", WGMMA_I64(c)); }
  DEVICE void drain(S8::sum (&c)[64]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_I64(c)::"memory"); }
};
template <> struct Wgmma<S8, 192> {
  DEVICE void stage(S8::sum (&c)[96], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n192k32.s32.s8.s8", WGMMA_R96, "", WGMMA_I96(c)); }
  DEVICE void drain(S8::sum (&c)[96]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_I96(c)::"memory"); }
};
template <> struct Wgmma<S8, 224> {
  DEVICE void stage(S8::sum (&c)[112], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n224k32.s32.s8.s8", WGMMA_R112, "", WGMMA_I112(c)); }
  DEVICE void drain(S8::sum (&c)[112]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_I112(c)::"memory"); }
};
template <> struct Wgmma<S8, 256> {
  DEVICE void stage(S8::sum (&c)[128], u64 a, u64 b, int keep) { WGMMA_STAGE("m64n256k32.s32.s8.s8", WGMMA_R128, "", WGMMA_I128(c)); }
  DEVICE void drain(S8::sum (&c)[128]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : WGMMA_I128(c)::"memory"); }
};

template <int N> DEVICE void registers_up() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N)); }
template <int N> DEVICE void registers_down() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N)); }
#endif
