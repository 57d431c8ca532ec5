#!/usr/bin/env python3
"""Measures Hadal beside llama.cpp and ik_llama.cpp on the same files, in turns, and prints a table of medians and ratios.

LLAMA_BENCH=… IK_LLAMA_BENCH=… eng/bench_peers.py HADAL FOLDER
  HADAL           the published executable
  FOLDER          where synthetic .gguf files are made (12 GB; kept for the next run)
  LLAMA_BENCH     llama.cpp's llama-bench, IK_LLAMA_BENCH ik_llama.cpp's; either may be absent
  ROUNDS          turns of each engine, 3 by default
  THREADS         of each engine, 2 by default

The host of a virtual machine may change its memory bandwidth within minutes: the ratio of each round is taken by itself, and their median given.
"""
import json
import os
import statistics
import subprocess
import sys

SHAPES = [
    ("deepseek-r1-distill-qwen-1.5b", "bf16", "f16"),
    ("deepseek-r1-distill-qwen-1.5b", "int8", "q8_0"),
    ("deepseek-r1-distill-qwen-1.5b", "q8_0", "q8_0"),
    ("deepseek-r1-distill-qwen-1.5b", "q4_0", "q4_0"),
    ("deepseek-r1-distill-qwen-1.5b", "q4_k", "q4_k"),
    ("deepseek-v2-lite", "q4_0", "q4_0"),
]
HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT, DECODE = 512, 48


def file_of(folder, shape, kind):
    path = os.path.join(folder, f"{shape}-{kind}.gguf")
    if not os.path.exists(path):
        subprocess.run([sys.executable, os.path.join(HERE, "synthetic_gguf.py"), shape, kind, path], check=True)
    return path


def hadal(executable, model, threads):
    run = subprocess.run(
        [executable, "bench", *model, "--prompt", str(PROMPT), "--decode", str(DECODE), "--repeat", "3", "--threads", threads],
        check=True, capture_output=True, text=True)
    report = json.loads(run.stdout)
    cases = {c["kind"]: c for c in report["cases"]}
    return cases["prefill"]["tokens_per_second"], cases["decode"]["tokens_per_second"], report


def peer(executable, path, threads, extra):
    run = subprocess.run(
        [executable, "-m", path, "-t", threads, "-p", str(PROMPT), "-n", str(DECODE), "-r", "3", "-o", "json", *extra],
        check=True, capture_output=True, text=True)
    rows = json.loads(run.stdout[run.stdout.index("["):])
    return next(r["avg_ts"] for r in rows if r["n_prompt"]), next(r["avg_ts"] for r in rows if r["n_gen"])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    threads = os.environ.get("THREADS", "2")
    rounds = int(os.environ.get("ROUNDS", "3"))
    peers = []
    if os.environ.get("IK_LLAMA_BENCH"):
        peers.append(("ik_llama.cpp", os.environ["IK_LLAMA_BENCH"], ["-rtr", "1", "-fa", "1"], ["-mla", "3", "-fmoe", "1"]))
    if os.environ.get("LLAMA_BENCH"):
        peers.append(("llama.cpp", os.environ["LLAMA_BENCH"], [], []))
    print(f"Prompt {PROMPT} / decode {DECODE}, {threads} threads, medians of {rounds} rounds in turns; × is Hadal's ratio, the median of the rounds'.")
    print()
    print("| shape | weights | Hadal | read bandwidth, GB/s | share | " + " | ".join(f"{p[0]} | ×" for p in peers) + " |")
    print("|---|---|---|---|---|" + "---|---|" * len(peers))
    for shape, own, theirs in SHAPES:
        ours, others, bandwidths, shares = [], {p[0]: [] for p in peers}, [], []
        for _ in range(rounds):
            # Rows of int8 with one scale are no GGUF type: Hadal makes them itself.
            model = ["--synthetic", shape, "--weight-dtype", own] if own == "int8" else [file_of(sys.argv[2], shape, own)]
            prefill, decode, report = hadal(sys.argv[1], model, threads)
            ours.append((prefill, decode))
            bandwidths += [c["read_bandwidth_gb_per_s"] for c in report["cases"] if c["kind"] == "decode"]
            shares.append(max(c.get("bandwidth_share") or 0 for c in report["cases"]))
            for name, executable, flags, mla in peers:
                others[name].append(peer(executable, file_of(sys.argv[2], shape, theirs), threads, flags + (mla if "v2" in shape else [])))

        def pair(values):
            return " / ".join(f"{statistics.median(v[i] for v in values):.1f}" for i in (0, 1))

        row = f"| {shape} | {own}" + (f" (peers {theirs})" if own != theirs else "") + f" | {pair(ours)}"
        row += f" | {min(bandwidths):.0f}–{max(bandwidths):.0f} | {statistics.median(shares):.0%}"
        for name in others:
            ratios = [statistics.median(o[i] / p[i] for o, p in zip(ours, others[name])) for i in (0, 1)]
            row += f" | {pair(others[name])} | {ratios[0]:.2f} / {ratios[1]:.2f}"
        print(row + " |", flush=True)


main()
