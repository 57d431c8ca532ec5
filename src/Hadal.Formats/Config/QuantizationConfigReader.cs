using Hadal.Formats.Checkpoints;

namespace Hadal.Formats.Config;

/// <summary>
/// Reads <c>quantization_config</c>: DeepSeek's fp8, and compressed-tensors with symmetric weights. Which matrices are quantised is told by the tensors themselves;
/// what is checked here is that nothing is asked for that they do not say.
/// </summary>
/// <remarks>Source: github.com/vllm-project/compressed-tensors, quantization/quant_config.py and quant_args.py.</remarks>
internal static class QuantizationConfigReader
{
    /// <returns>Rows and columns of a block of e4m3 weights with one scale, where any are so.</returns>
    public static (int Rows, int Columns)? ReadFp8BlockSize(ConfigObject c)
    {
        if (c.OptionalObject("quantization_config") is not { } q)
        {
            return null;
        }

        string? method = q.OptionalString("quant_method");
        return method switch
        {
            "fp8" => ReadFp8(q),
            "compressed-tensors" => ReadCompressedTensors(q),
            _ => throw q.Bad("quant_method", method is null ? "is missing" : $"is {HostileText.Quote(method)}", "expected fp8 with weight_block_size (DeepSeek's layout) or compressed-tensors; use the original bf16 or fp8 checkpoint, or a GGUF file"),
        };
    }

    private static (int Rows, int Columns)? ReadFp8(ConfigObject q)
    {
        string format = q.OptionalString("fmt") ?? "e4m3";
        if (format != "e4m3")
        {
            throw q.Bad("fmt", $"is {HostileText.Quote(format)}", "expected e4m3");
        }

        return Block(q, "weight_block_size");
    }

    private static (int Rows, int Columns) Block(ConfigObject q, string key)
    {
        List<int> block = q.IntOrInts(key, 1, 1 << 16, 2);
        if (block.Count != 2)
        {
            throw q.Bad(key, block.Count == 0 ? "is missing" : "has one number", "expected [rows, columns], such as [128, 128]; fp8 with one scale per tensor is not supported");
        }

        return (block[0], block[1]);
    }

    private static (int Rows, int Columns)? ReadCompressedTensors(ConfigObject q)
    {
        string format = q.OptionalString("format") ?? "";
        if (format is not ("float-quantized" or "int-quantized" or "naive-quantized" or "pack-quantized" or "mixed-precision"))
        {
            throw q.Bad("format", format.Length == 0 ? "is missing" : $"is {HostileText.Quote(format)}", "expected float-quantized, int-quantized, pack-quantized or mixed-precision");
        }

        if (q.OptionalObject("config_groups") is not { } groups)
        {
            throw q.Bad("config_groups", "is missing", "expected the groups of matrices that are quantised alike");
        }

        (int Rows, int Columns)? block = null;
        foreach (string name in groups.Names())
        {
            if (groups.OptionalObject(name)?.OptionalObject("weights") is not { } w)
            {
                continue;
            }

            if (w.OptionalBool("symmetric") == false)
            {
                throw w.Bad("symmetric", "is false", "expected true: weights with zero points are not supported");
            }

            string strategy = w.OptionalString("strategy") ?? "tensor";
            switch (strategy)
            {
                case "channel" or "group":
                    break;
                case "block":
                    (int, int) size = Block(w, "block_structure");
                    block = block is null || block == size ? size : throw w.Bad("block_structure", "differs between groups", "expected one size of blocks in a checkpoint");
                    break;
                default:
                    throw w.Bad("strategy", $"is {HostileText.Quote(strategy)}", "expected channel, group or block");
            }
        }

        return block;
    }
}
