#!/usr/bin/env python3
"""Writes a GGUF file of a true shape with random weights, so that other engines can be measured on it without a download.

eng/synthetic_gguf.py SHAPE TYPE FILE [LAYERS]
  SHAPE  deepseek-r1-distill-qwen-1.5b or deepseek-v2-lite
  TYPE   f16, bf16, q8_0, q4_0, q4_k (rows that are not whole blocks become q8_0)

The file has no vocabulary (tokenizer.ggml.model = no_vocab): it is for benchmarks, which make up token ids. Needs Python 3 alone.
"""
import array
import os
import random
import struct
import sys

# Number in the format, weights a block, bytes a block.
TYPES = {"f32": (0, 1, 4), "f16": (1, 1, 2), "q4_0": (2, 32, 18), "q8_0": (8, 32, 34), "q4_k": (12, 256, 144), "bf16": (30, 1, 2)}
FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7, "q4_k": 15, "bf16": 32}
CHUNK = 1 << 20
U32, F32, STR = 4, 6, 8


def qwen2(layers, t):
    d, inner, heads, kv, vocab = 1536, 8960, 12, 2, 151936
    meta = base("qwen2", layers or 28, d, inner, heads, kv, vocab, 131072, 10000.0)
    tensors = outer(d, vocab, t)
    for i in range(layers or 28):
        b = f"blk.{i}."
        tensors += [(b + "attn_norm.weight", [d], "f32"), (b + "ffn_norm.weight", [d], "f32")]
        for name, n in (("attn_q", d), ("attn_k", 128 * kv), ("attn_v", 128 * kv)):
            tensors += [(f"{b}{name}.weight", [d, n], t), (f"{b}{name}.bias", [n], "f32")]
        tensors += [(b + "attn_output.weight", [d, d], t), *dense(b, d, inner, t)]
    return meta, tensors


def deepseek2(layers, t):
    layers = layers or 27
    d, inner, expert, experts, used, vocab, heads = 2048, 10944, 1408, 64, 6, 102400, 16
    a = "deepseek2."
    meta = base("deepseek2", layers, d, inner, heads, heads, vocab, 163840, 10000.0) + [
        (a + "expert_used_count", U32, used), (a + "leading_dense_block_count", U32, 1), (a + "attention.kv_lora_rank", U32, 512),
        (a + "attention.key_length", U32, 192), (a + "attention.value_length", U32, 128), (a + "expert_feed_forward_length", U32, expert),
        (a + "expert_count", U32, experts), (a + "expert_shared_count", U32, 2), (a + "expert_weights_scale", F32, 1.0),
        (a + "expert_gating_func", U32, 1), (a + "rope.dimension_count", U32, 64), (a + "rope.scaling.type", STR, "yarn"),
        (a + "rope.scaling.factor", F32, 40.0), (a + "rope.scaling.original_context_length", U32, 4096),
        (a + "rope.scaling.yarn_log_multiplier", F32, 0.0707)]
    tensors = outer(d, vocab, t)
    for i in range(layers):
        b = f"blk.{i}."
        tensors += [
            (b + "attn_norm.weight", [d], "f32"), (b + "attn_q.weight", [d, heads * 192], t), (b + "attn_kv_a_mqa.weight", [d, 576], t),
            (b + "attn_kv_a_norm.weight", [512], "f32"), (b + "attn_kv_b.weight", [512, heads * 256], t),
            (b + "attn_output.weight", [heads * 128, d], t), (b + "ffn_norm.weight", [d], "f32")]
        if i == 0:
            tensors += dense(b, d, inner, t)
        else:
            tensors += [
                (b + "ffn_gate_inp.weight", [d, experts], "f32"), (b + "ffn_gate_exps.weight", [d, expert, experts], t),
                (b + "ffn_up_exps.weight", [d, expert, experts], t), (b + "ffn_down_exps.weight", [expert, d, experts], t),
                (b + "ffn_gate_shexp.weight", [d, 2 * expert], t), (b + "ffn_up_shexp.weight", [d, 2 * expert], t),
                (b + "ffn_down_shexp.weight", [2 * expert, d], t)]
    return meta, tensors


def base(arch, layers, d, inner, heads, kv, vocab, context, theta):
    a = arch + "."
    return [
        ("general.architecture", STR, arch), ("general.name", STR, "synthetic"), (a + "block_count", U32, layers), (a + "context_length", U32, context),
        (a + "embedding_length", U32, d), (a + "feed_forward_length", U32, inner), (a + "attention.head_count", U32, heads),
        (a + "attention.head_count_kv", U32, kv), (a + "attention.layer_norm_rms_epsilon", F32, 1e-6), (a + "rope.freq_base", F32, theta),
        (a + "vocab_size", U32, vocab), ("tokenizer.ggml.model", STR, "no_vocab")]


def outer(d, vocab, t):
    return [("token_embd.weight", [d, vocab], t), ("output_norm.weight", [d], "f32"), ("output.weight", [d, vocab], t)]


def dense(b, d, inner, t):
    return [(b + "ffn_gate.weight", [d, inner], t), (b + "ffn_up.weight", [d, inner], t), (b + "ffn_down.weight", [inner, d], t)]


def pattern(t):
    """About a MiB of whole blocks: random codes, scales that keep activations of a size."""
    _, _, size = TYPES[t]
    count = CHUNK // size
    if t == "f32":
        return array.array("f", [1.0] * count).tobytes()
    data = bytearray(random.randbytes(count * size))
    if t in ("f16", "bf16"):
        high = 0x24 if t == "f16" else 0x3C
        for i in range(1, len(data), 2):
            data[i] = (data[i] & 0x80) | high | (data[i] & 3)
        return bytes(data)
    scale = struct.pack("<e", {"q8_0": 0.0004, "q4_0": 0.004, "q4_k": 0.0002}[t])
    for i in range(0, len(data), size):
        data[i:i + 2] = scale
        if t == "q4_k":
            data[i + 2:i + 4] = scale
    return bytes(data)


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def byte_length(shape, t):
    count = 1
    for n in shape:
        count *= n
    return count // TYPES[t][1] * TYPES[t][2]


def main():
    if len(sys.argv) not in (4, 5) or sys.argv[2] not in FILE_TYPES:
        sys.exit(__doc__)
    shapes = {"deepseek-r1-distill-qwen-1.5b": qwen2, "deepseek-v2-lite": deepseek2}
    if sys.argv[1] not in shapes:
        sys.exit(f"{sys.argv[1]}: known are {', '.join(shapes)}")
    random.seed(1)
    t = sys.argv[2]
    meta, tensors = shapes[sys.argv[1]](int(sys.argv[4]) if len(sys.argv) == 5 else None, t)
    meta.append(("general.file_type", U32, FILE_TYPES[t]))
    tensors = [(n, s, u if s[0] % TYPES[u][1] == 0 else "q8_0") for n, s, u in tensors]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(meta))
    for key, kind, value in meta:
        head += string(key) + struct.pack("<I", kind) + (string(value) if kind == STR else struct.pack("<f" if kind == F32 else "<I", value))
    at = 0
    for name, shape, u in tensors:
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, TYPES[u][0], at)
        at += (byte_length(shape, u) + 31) // 32 * 32
    patterns = {u: pattern(u) for u in {u for _, _, u in tensors}}
    beside = sys.argv[3] + ".part"
    with open(beside, "wb") as f:
        f.write(head + bytes(-len(head) % 32))
        for name, shape, u in tensors:
            # A router must choose different experts for different tokens.
            data = array.array("f", (random.gauss(0, 0.05) for _ in range(shape[0] * shape[1]))).tobytes() if "gate_inp" in name else patterns[u]
            left = size = byte_length(shape, u)
            while left > 0:
                left -= f.write(data[:min(left, len(data))])
            f.write(bytes(-size % 32))
    os.replace(beside, sys.argv[3])


main()
