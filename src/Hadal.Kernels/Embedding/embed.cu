// Rows by index: embedding rows of a step's tokens, and the hidden rows whose logits are wanted. Bytes: each row read and written once.
#include "rows.cuh"

struct EmbedParams {
  const void *table; // [vocab, width]
  const int *tokens; // [rows]
  void *y;           // [rows, width]
  i64 table_stride;
  int y_stride;
  int width;
  int vocab;
};

// A block takes 2,048 columns of one row. An id outside the table gives a row of NaN: the sampler refuses it with words.
template <class W, class Y> DEVICE void embed(const EmbedParams &p) {
  start_next_if_few();
  int column = (bid_y() * block_dim() + tid()) * 8;
  wait_then_start();
  if (column >= p.width) return;
  int token = p.tokens[bid_x()];
  bool known = (u32)token < (u32)p.vocab;
  const W *x = (const W *)p.table + token * p.table_stride + column;
  Y *y = (Y *)p.y + (i64)bid_x() * p.y_stride + column;
  if (p.width - column >= 8) {
    float v[8];
    if (known) {
      load8(x, v);
    } else {
#pragma unroll
      for (int i = 0; i < 8; i++) v[i] = bits_to_float(0x7fc00000u);
    }
    store8(y, v);
  } else {
#pragma unroll 1
    for (int i = 0; i < p.width - column; i++) store1(y + i, known ? load1(x + i) : bits_to_float(0x7fc00000u));
  }
}

KERNEL((256)) embed_f32(const EmbedParams p) { embed<bf16, float>(p); }
KERNEL((256)) embed_bf16(const EmbedParams p) { embed<bf16, bf16>(p); }
KERNEL((256)) embed_f32_f32(const EmbedParams p) { embed<float, float>(p); }

struct SelectParams {
  const u16 *x;
  u16 *y;
  const int *rows;
  i64 x_stride; // these three in units of two bytes
  i64 y_stride;
  const int *num_rows; // [1]: rows from it on are left alone; null for none
  int width;
  int divisor;
};

// y[i, :] = x[rows[i] / divisor, :], any element type of two or four bytes. The divisor is top_k where rows are pairs in order of expert.
KERNEL((256)) select_rows(const SelectParams p) {
  start_next_if_few();
  int column = (bid_y() * block_dim() + tid()) * 8;
  wait_then_start();
  if (column >= p.width || (p.num_rows && bid_x() >= *p.num_rows)) return;
  const u16 *x = p.x + p.rows[bid_x()] / p.divisor * p.x_stride + column;
  u16 *y = p.y + bid_x() * p.y_stride + column;
  if (p.width - column >= 8) {
    store16(y, load16(x));
  } else {
#pragma unroll 1
    for (int i = 0; i < p.width - column; i++) y[i] = x[i];
  }
}
