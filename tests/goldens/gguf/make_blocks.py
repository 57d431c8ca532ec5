"""Makes blocks.safetensors: python3 make_blocks.py LIBGGML_BASE OUTPUT, where LIBGGML_BASE is llama.cpp's libggml-base.so."""

import ctypes
import json
import random
import struct
import sys

N = 1024
# name: elements and bytes of a block, ggml's number, byte offsets of its f16 scales
TYPES = {
    "Q4_0": (32, 18, 2, (0,)),
    "Q4_1": (32, 20, 3, (0, 2)),
    "Q5_0": (32, 22, 6, (0,)),
    "Q5_1": (32, 24, 7, (0, 2)),
    "Q8_0": (32, 34, 8, (0,)),
    "Q4_K": (256, 144, 12, (0, 2)),
    "Q5_K": (256, 176, 13, (0, 2)),
    "Q6_K": (256, 210, 14, (208,)),
}

lib = ctypes.CDLL(sys.argv[1])
lib.ggml_quantize_chunk.restype = ctypes.c_size_t
lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]

random.seed(7)
x = (ctypes.c_float * N)(*[random.gauss(0, 1) * (0.05 if i < 512 else 3) for i in range(N)])
for i in range(128, 160):
    x[i] = 0.0
x[700] = 40.0  # an outlier

entries = [("x", "F32", bytes(x))]
for name, (block, size, number, scales) in TYPES.items():
    dequantize = getattr(lib, "dequantize_row_q" + name[1:])
    dequantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    dequantize.restype = None
    quantized = (ctypes.c_uint8 * (N // block * size))()
    assert lib.ggml_quantize_chunk(number, x, quantized, 0, 1, N, None) == len(quantized)
    raw = bytearray(random.randbytes(len(quantized)))
    for b in range(N // block):
        for at in scales:
            # Random bits would make infinities and NaN of the scales.
            raw[b * size + at : b * size + at + 2] = struct.pack("<e", random.uniform(-2, 2))
    for kind, blocks in (("quantized", bytes(quantized)), ("random", bytes(raw))):
        values = (ctypes.c_float * N)()
        dequantize((ctypes.c_uint8 * len(blocks)).from_buffer_copy(blocks), values, N)
        entries.append((f"{name}.{kind}", "U8", blocks))
        entries.append((f"{name}.{kind}.values", "F32", bytes(values)))

entries.sort(key=lambda e: (e[1] != "F32", e[0]))
header = {"__metadata__": {"script": "make_blocks.py", "source": "ggml of llama.cpp v0.5.0"}}
offset = 0
for name, dtype, data in entries:
    header[name] = {"dtype": dtype, "shape": [len(data) // (4 if dtype == "F32" else 1)], "data_offsets": [offset, offset + len(data)]}
    offset += len(data)
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-(8 + len(text)) % 64)
with open(sys.argv[2], "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(e[2] for e in entries))
