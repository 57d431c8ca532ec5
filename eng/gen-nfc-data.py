#!/usr/bin/env python3
"""Writes src/Hadal.Formats/Tokenization/NfcData.cs from Python's Unicode database (needs Python 3.13: Unicode 15.1)."""
import pathlib
import unicodedata as u

compose, decompose, runs = [], [], []
for c in range(0x110000):
    if 0xD800 <= c < 0xE000 or 0xAC00 <= c <= 0xD7A3:  # surrogates; Hangul is arithmetic
        continue
    mapping = u.decomposition(chr(c))
    if mapping and not mapping.startswith("<"):
        row = f"{c:X}=" + "+".join(f"{int(x, 16):X}" for x in mapping.split())
        (compose if u.normalize("NFC", chr(c)) == chr(c) else decompose).append(row)
    ccc = u.combining(chr(c))
    if ccc:
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == ccc:
            runs[-1][1] = c
        else:
            runs.append([c, c, ccc])

def rows(items):
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) > 150:
            lines.append(line)
            line = ""
        line += item + ";"
    lines.append(line)
    return "\n".join("        " + l for l in lines)

out = f'''namespace Hadal.Formats.Tokenization;

/// <summary>Canonical decompositions and combining classes of Unicode {u.unidata_version}; written by eng/gen-nfc-data.py.</summary>
internal static class NfcData
{{
    /// <summary>Mappings that composition undoes.</summary>
    public const string Composed = """
{rows(compose)}
        """;

    /// <summary>Mappings that composition never undoes: singletons and the composition exclusions.</summary>
    public const string DecomposedOnly = """
{rows(decompose)}
        """;

    /// <summary>Runs of code points with the same non-zero canonical combining class.</summary>
    public const string CombiningClasses = """
{rows(f"{a:X}-{b:X}={k}" for a, b, k in runs)}
        """;
}}
'''
path = pathlib.Path(__file__).parent.parent / "src/Hadal.Formats/Tokenization/NfcData.cs"
path.write_text(out, encoding="utf-8")
