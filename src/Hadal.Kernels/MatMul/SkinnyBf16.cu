#include "skinny.cuh"

STREAM(bf16, Bf16Weights, 2)
PANEL(bf16, Bf16Weights, 16, 4)
PANEL(bf16, Bf16Weights, 32, 4)
PANEL(bf16, Bf16Weights, 64, 4)
