// Kernels for the tests of the driver room: as small as what they show allows.
#include "hadal.cuh"

struct AddParams {
  const float *in;
  float *out;
  int count;
  float value;
};

// out[i] = in[i] + value. Waits as every kernel does, so that a chain of launches with programmatic start is in order.
KERNEL((256)) add_f32(const AddParams p) {
  wait_previous();
  start_next();
  for (int i = bid_x() * block_dim() + tid(); i < p.count; i += grid_x() * block_dim()) p.out[i] = p.in[i] + p.value;
}

// As add_f32, but lets the next kernel start long before it writes: only wait_previous keeps the chain right then.
KERNEL((256)) add_late_f32(const AddParams p) {
  start_next();
  wait_previous();
  for (int i = bid_x() * block_dim() + tid(); i < p.count; i += grid_x() * block_dim()) {
    const float v = p.in[i];
    asm volatile("nanosleep.u32 20000;" ::: "memory");
    p.out[i] = v + p.value;
  }
}

// Writes far outside of everything.
KERNEL((32)) out_of_bounds(const AddParams p) {
  wait_previous();
  if (tid() == 0) *(float *)0x7f0000000010ull = p.value;
}

struct SharedParams {
  int *out;
  int count;
};

// Reverses `count` integers through dynamic shared memory, to show that more than 48 KiB work.
KERNEL((256)) reverse_shared(const SharedParams p) {
  extern __shared__ int buffer[];
  wait_previous();
  start_next();
  for (int i = tid(); i < p.count; i += block_dim()) buffer[i] = p.out[i];
  sync_block();
  for (int i = tid(); i < p.count; i += block_dim()) p.out[i] = buffer[p.count - 1 - i];
}

#if HADAL_SM90
struct alignas(64) MapParams {
  unsigned char map[128];
  unsigned short *out;
  int row;
  int column;
  int plane;
  int rank;
};

// Copies a box of 16 rows and 64 columns of 16-bit elements through the tensor copy engine; out is [16, 64].
KERNEL((128)) copy_box(const MapParams p) {
  alignas(1024) __shared__ unsigned short box[16 * 64];
  alignas(8) __shared__ u64 barrier;
  wait_previous();
  start_next();
  const u32 bar = smem_address(&barrier);
  u64 map;
  asm("mov.b64 %0, copy_box_param_0;" : "=l"(map));
  asm("cvta.param.u64 %0, %0;" : "+l"(map));
  if (tid() == 0) {
    asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(bar) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async;" ::: "memory");
  }
  sync_block();
  if (tid() == 0) {
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], 2048;" ::"r"(bar) : "memory");
    if (p.rank == 2)
      asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(smem_address(box)), "l"(map),
                   "r"(p.column), "r"(p.row), "r"(bar)
                   : "memory");
    else
      asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(smem_address(box)), "l"(map),
                   "r"(p.column), "r"(p.row), "r"(p.plane), "r"(bar)
                   : "memory");
  }
  u32 done = 0;
  while (!done)
    asm volatile("{ .reg .pred q; mbarrier.try_wait.parity.shared.b64 q, [%1], 0; selp.u32 %0, 1, 0, q; }" : "=r"(done) : "r"(bar) : "memory");
  for (int i = tid(); i < 16 * 64; i += block_dim()) p.out[i] = box[i];
}

// Each block of a cluster writes its rank in the cluster.
KERNEL((32)) cluster_rank(const SharedParams p) {
  wait_previous();
  start_next();
  u32 rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  if (tid() == 0 && bid_x() < p.count) p.out[bid_x()] = (int)rank;
}
#endif
