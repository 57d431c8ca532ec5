// Hopper's warpgroup products as attention wants them: scores from two tiles of shared memory, sums from weights in registers.
#pragma once
#include "attention.cuh"

#if HADAL_SM90
DEVICE void mbarrier_init(u32 bar, int count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(bar), "r"(count) : "memory"); }
DEVICE void mbarrier_arrive(u32 bar) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(bar) : "memory"); }
DEVICE bool mbarrier_test(u32 bar, u32 parity) {
  u32 done;
  asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}" : "=r"(done) : "r"(bar), "r"(parity) : "memory");
  return done != 0;
}
DEVICE void mbarrier_wait(u32 bar, u32 parity) {
  while (!mbarrier_test(bar, parity)) {}
}
// What this thread wrote to shared memory becomes visible to wgmma.
DEVICE void fence_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
DEVICE void arrive_named(int id, int threads) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
template <int N> DEVICE void more_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N)); }
template <int N> DEVICE void fewer_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N)); }

#define LIST16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define LIST32 LIST16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define LIST64 LIST32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define SUMS4(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3])
#define SUMS16(c, i) SUMS4(c, i), SUMS4(c, i + 4), SUMS4(c, i + 8), SUMS4(c, i + 12)
#define SUMS32(c) SUMS16(c, 0), SUMS16(c, 16)
#define SUMS64(c) SUMS32(c), SUMS16(c, 32), SUMS16(c, 48)
#define WEIGHTS4(p, i) "r"(p[i]), "r"(p[i + 1]), "r"(p[i + 2]), "r"(p[i + 3])
#define WEIGHTS16(p, i) WEIGHTS4(p, i), WEIGHTS4(p, i + 4), WEIGHTS4(p, i + 8), WEIGHTS4(p, i + 12)

// Tiles are panels of 128-byte rows, 16-byte pieces exchanged by the 128-byte swizzle (tile_offset<8>), each panel 1,024-byte aligned.
// Rows are along the tile's own dimension, a row's bytes along the sum: the usual operand.
DEVICE u64 row_descriptor(u32 smem) { return (u64)(smem >> 4) | (1ull << 16) | (64ull << 32) | (1ull << 62); }
// Rows are along the sum, a row's bytes along the tile's own dimension: 64 columns a panel, `panel` bytes from one to the next.
DEVICE u64 column_descriptor(u32 smem, u32 panel) { return (u64)(smem >> 4) | ((u64)(panel >> 4) << 16) | (64ull << 32) | (1ull << 62); }

// s = q · kᵀ for 64 rows and 128 keys over 64 columns; `keep` adds to what is there.
DEVICE void scores_panel(float (&s)[64], u32 q, u32 k, int keep) {
  asm volatile("{\n.reg .pred p, t;\n.reg .b64 a, b;\nsetp.ne.b32 p, %66, 0;\nsetp.eq.b32 t, %66, %66;\n"
      "wgmma.fence.sync.aligned;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" LIST64 "}, %64, %65, p, 1, 1, 0, 0;\n"
      "add.s64 a, %64, 2;\nadd.s64 b, %65, 2;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" LIST64 "}, a, b, t, 1, 1, 0, 0;\n"
      "add.s64 a, %64, 4;\nadd.s64 b, %65, 4;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" LIST64 "}, a, b, t, 1, 1, 0, 0;\n"
      "add.s64 a, %64, 6;\nadd.s64 b, %65, 6;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" LIST64 "}, a, b, t, 1, 1, 0, 0;\n"
      "wgmma.commit_group.sync.aligned;\n}"
      : SUMS64(s) : "l"(row_descriptor(q)), "l"(row_descriptor(k)), "r"(keep) : "memory");
}
#define VALUES(SHAPE, LIST, A0, A1, A2, A3, D) "wgmma.mma_async.sync.aligned." SHAPE ".f32.bf16.bf16 {" LIST "}, {" A0 "," A1 "," A2 "," A3 "}, " D ", 1, 1, 1, 1;\n"
// o += p · v for 64 rows and 128 keys; v: panels of 128 rows.
DEVICE void values_tile(float (&o)[64], const u32 (&p)[32], u32 v) {
  asm volatile("{\n.reg .b64 d;\nwgmma.fence.sync.aligned;\n"
      VALUES("m64n128k16", LIST64, "%64", "%65", "%66", "%67", "%96") "add.s64 d, %96, 128;\n"
      VALUES("m64n128k16", LIST64, "%68", "%69", "%70", "%71", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n128k16", LIST64, "%72", "%73", "%74", "%75", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n128k16", LIST64, "%76", "%77", "%78", "%79", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n128k16", LIST64, "%80", "%81", "%82", "%83", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n128k16", LIST64, "%84", "%85", "%86", "%87", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n128k16", LIST64, "%88", "%89", "%90", "%91", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n128k16", LIST64, "%92", "%93", "%94", "%95", "d")
      "wgmma.commit_group.sync.aligned;\n}"
      : SUMS64(o) : WEIGHTS16(p, 0), WEIGHTS16(p, 16), "l"(column_descriptor(v, 128 * 128)) : "memory");
}
DEVICE void values_tile(float (&o)[32], const u32 (&p)[32], u32 v) {
  asm volatile("{\n.reg .b64 d;\nwgmma.fence.sync.aligned;\n"
      VALUES("m64n64k16", LIST32, "%32", "%33", "%34", "%35", "%64") "add.s64 d, %64, 128;\n"
      VALUES("m64n64k16", LIST32, "%36", "%37", "%38", "%39", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n64k16", LIST32, "%40", "%41", "%42", "%43", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n64k16", LIST32, "%44", "%45", "%46", "%47", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n64k16", LIST32, "%48", "%49", "%50", "%51", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n64k16", LIST32, "%52", "%53", "%54", "%55", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n64k16", LIST32, "%56", "%57", "%58", "%59", "d") "add.s64 d, d, 128;\n"
      VALUES("m64n64k16", LIST32, "%60", "%61", "%62", "%63", "d")
      "wgmma.commit_group.sync.aligned;\n}"
      : SUMS32(o) : WEIGHTS16(p, 0), WEIGHTS16(p, 16), "l"(column_descriptor(v, 128 * 128)) : "memory");
}
// Waits for all products of this warpgroup; their results are these.
DEVICE void products_wait(float (&c)[64]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : SUMS64(c)::"memory"); }
DEVICE void products_wait(float (&c)[32]) { asm volatile("wgmma.wait_group.sync.aligned 0;" : SUMS32(c)::"memory"); }
#endif
