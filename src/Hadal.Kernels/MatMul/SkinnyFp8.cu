#include "skinny.cuh"

STREAM(fp8_row, Fp8Weights<Scaling::Row>, 2)
PANEL(fp8_row, Fp8Weights<Scaling::Row>, 32, 3)
PANEL(fp8_row, Fp8Weights<Scaling::Row>, 64, 3)
STREAM(fp8_block, Fp8Weights<Scaling::Block>, 2)
PANEL(fp8_block, Fp8Weights<Scaling::Block>, 32, 3)
