#include "skinny.cuh"

STREAM(int8_row, Int8Weights<0>, 2)
PANEL(int8_row, Int8Weights<0>, 32, 3)
PANEL(int8_row, Int8Weights<0>, 64, 3)
STREAM(int8_group32, Int8Weights<32>, 1)
PANEL(int8_group32, Int8Weights<32>, 32, 3)
STREAM(int8_group16, Int8Weights<16>, 1)
PANEL(int8_group16, Int8Weights<16>, 32, 3)
