#include "skinny.cuh"

STREAM(int4_group32, Int4Weights<32>, 1)
PANEL(int4_group32, Int4Weights<32>, 32, 3)
STREAM(int4_group64, Int4Weights<64>, 1)
PANEL(int4_group64, Int4Weights<64>, 32, 3)
STREAM(int4_group128, Int4Weights<128>, 1)
PANEL(int4_group128, Int4Weights<128>, 32, 3)
