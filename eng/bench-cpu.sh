#!/usr/bin/env bash
# Prints docs/performance-cpu.md's tables for this machine: eng/bench-cpu.sh [HADAL]. Minutes; the machine should do nothing else.
# With LLAMA_BENCH and IK_LLAMA_BENCH naming llama.cpp's and ik_llama.cpp's llama-bench (either or both), also the table beside them, which needs
# Python 3 and 12 GB for files of true shape with random weights (in PEER_FILES, or a temporary folder).
set -euo pipefail
cd "$(dirname "$0")/.."
hadal=${1:-artifacts/publish/hadal}
echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | sed 's/^ *//'), $(nproc) processors, commit $(git rev-parse --short HEAD), $(date -u +%Y-%m-%d)"
echo
echo "| model | weights | what | tokens/s | share of read bandwidth | read bandwidth, GB/s | peak memory |"
echo "|---|---|---|---|---|---|---|"
bench() { "$hadal" bench --markdown --repeat 5 "$@" 2>/dev/null; }
bench --prompt 512 --decode 64
for weights in bf16 int8 q8_0 q4_0 q4_k; do
  bench --synthetic deepseek-r1-distill-qwen-1.5b --weight-dtype $weights --prompt 512 --decode 32
done
bench --synthetic deepseek-r1-distill-qwen-1.5b --weight-dtype int8 --prompt 0 --decode 16 --batch 1,4,8,16
for weights in int8 q4_0; do
  bench --synthetic deepseek-v2-lite --layers 9 --weight-dtype $weights --prompt 512 --decode 32 --depth 16,2048,8192
done
if [ -n "${LLAMA_BENCH:-}${IK_LLAMA_BENCH:-}" ]; then
  folder=${PEER_FILES:-$(mktemp -d)}
  [ -n "${PEER_FILES:-}" ] || trap 'rm -rf "$folder"' EXIT
  echo
  eng/bench_peers.py "$hadal" "$folder"
fi
