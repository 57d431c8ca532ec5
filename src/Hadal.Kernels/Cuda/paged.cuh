// What kernels of paged grouped-query attention are given.
#pragma once
#include "attention.cuh"

struct Args {
  Step step;
  const bf16 *q;      // [T, H·D]
  bf16 *o;            // [T, H·D]
  const u8 *pages;    // rows [k of all kv heads | v of all kv heads]
  float *partials;    // decode: [B · pairs, max_parts][16 · DP + 32]
  int *counters;      // decode: [B · pairs], zero between launches
  int q_stride;
  int o_stride;
  int num_heads;
  int num_kv_heads;
  int head_dim;
  float scale;        // times log2 e
  int min_tiles;      // decode: 64-key tiles a part has at least
  int max_parts;      // decode: parts of a sequence at most
  int whole_tiles;    // decode: a context of no more tiles is one part
  int reserved;
};

// Tiles of 16 rows that the heads of one key take; sequences of no more rows go to decode.
DEVICE int row_tiles_of(int group) { return ceil_div(group, 16); }
