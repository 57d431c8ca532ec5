#!/usr/bin/env bash
# Prints docs/performance-cpu.md's table for this machine: eng/bench-cpu.sh [HADAL]. Minutes; the machine should do nothing else.
# LLAMA_BENCH and IK_LLAMA_BENCH may name llama.cpp's and ik_llama.cpp's llama-bench, PEER_MODEL a .gguf file of the same shape for them.
set -euo pipefail
cd "$(dirname "$0")/.."
hadal=${1:-artifacts/publish/hadal}
echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | sed 's/^ *//'), $(nproc) processors, commit $(git rev-parse --short HEAD), $(date -u +%Y-%m-%d)"
echo
echo "| model | weights | what | tokens/s | share of read bandwidth | bandwidth before / after, GB/s | peak memory |"
echo "|---|---|---|---|---|---|---|"
bench() { "$hadal" bench --markdown --repeat 5 "$@" 2>/dev/null; }
bench --prompt 512 --decode 64
for weights in bf16 int8; do
  bench --synthetic deepseek-r1-distill-qwen-1.5b --weight-dtype $weights --prompt 512 --decode 32
done
bench --synthetic deepseek-r1-distill-qwen-1.5b --weight-dtype int8 --prompt 0 --decode 16 --batch 4,8,16
for weights in bf16 int8; do
  bench --synthetic deepseek-v2-lite --layers 6 --weight-dtype $weights --prompt 512 --decode 32
done
bench --synthetic deepseek-v2-lite --layers 6 --weight-dtype int8 --prompt 0 --decode 16 --depth 16,2048,8192
for peer in "${LLAMA_BENCH:-}" "${IK_LLAMA_BENCH:-}"; do
  [ -z "$peer" ] || [ -z "${PEER_MODEL:-}" ] || { echo; "$peer" -m "$PEER_MODEL" -t "$(nproc)" -p 512 -n 32 -o md; }
done
