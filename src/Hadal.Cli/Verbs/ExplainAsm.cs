using System.CommandLine;
using Hadal.Cli.Session;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels.Attention.Emitted;
using Hadal.Kernels.Packed;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal explain --asm</c>: the code emitted for the program, by operation.</summary>
internal static class ExplainAsm
{
    /// <param name="allTokenCounts">Kernels for every number of tokens; otherwise those of one token and of as many as a kernel takes.</param>
    public static EmittedCode Of(ModelOptions options, ParseResult parsed, ModelConfig config, Checkpoint? checkpoint, ModelGraph graph, bool allTokenCounts)
    {
        CpuFeatures features = ProcessIsa.EmittedFeatures();
        IReadOnlyList<KernelUse> uses = ModelSession.PlanKernels(options, parsed, config, checkpoint, graph, features);
        var kernels = new SortedDictionary<string, EmittedCode.Kernel>(StringComparer.Ordinal);
        return new EmittedCode
        {
            Features = features.ToString(),
            Uses = [.. uses.Select(u => new EmittedCode.Use(
                u.Node.Scope, u.Node.Op.Name, u.Weight.Name, u.Count, u.Weight.Rows, u.Weight.Columns, u.Kind?.ToString(), [.. Kernels(u)]))],
            Kernels = [.. kernels.Values],
            Nothing = kernels.Count > 0 ? null : WhyNothing(options.Dtype(parsed), features),
        };

        IEnumerable<string> Kernels(KernelUse use)
        {
            if (use.Attention is { } shape)
            {
                string name = AttentionKernel.Name(shape);
                kernels.TryAdd(name, Disassemble(name, "attention", 1, AttentionKernel.Rows, AttentionKernel.Code(shape)));
                yield return name;
            }

            foreach (int panels in use.Kind is null ? [] : use.Panels)
            {
                for (int tokens = 1; tokens <= use.MaxTokens; tokens++)
                {
                    if (allTokenCounts || tokens == 1 || tokens == use.MaxTokens)
                    {
                        PackedKind kind = use.Kind!.Value;
                        string name = PackedKernels.Name(kind, panels, tokens);
                        kernels.TryAdd(name, Disassemble(name, kind.ToString(), panels, tokens, PackedKernels.Code(kind, panels, tokens)));
                        yield return name;
                    }
                }
            }
        }
    }

    public static void Print(string model, EmittedCode emitted, bool allLayers)
    {
        if (emitted.Nothing is { } why)
        {
            Console.WriteLine($"{model}: no code is emitted. {why}");
            return;
        }

        Console.WriteLine($"{model}: {emitted.Kernels.Count} emitted kernels on this machine ({emitted.Features})");
        Console.WriteLine("KIND.PxT takes P panels of 16 rows and T tokens; a decode step of one sequence runs T = 1, prompts and larger batches the most that fit, and fewer for the rest. Attention.KxV takes 16 rows (heads that share keys) and a block of keys.");
        Console.WriteLine();
        foreach ((string heading, IReadOnlyList<EmittedCode.Use> uses) in Layers.Fold(
            emitted.Uses, u => u.Scope, u => $"{u.Operation}/{u.Matrices}/{u.Rows}/{u.Columns}/{u.Kind}", allLayers))
        {
            Console.WriteLine(heading);
            foreach (EmittedCode.Use use in uses)
            {
                // "linear x3" is one operation over three matrices, each a line.
                string count = use.Matrices == 1 ? "" : $"{use.Matrices} × ";
                string kernels = use.Kernels.Count == 0 ? "as stored, nothing emitted" : string.Join("  ", use.Kernels);
                Console.WriteLine($"  {use.Operation,-24} {$"{count}[{use.Rows}, {use.Columns}]",-20} {kernels}  ({use.Weight})");
            }
        }

        foreach (EmittedCode.Kernel kernel in emitted.Kernels)
        {
            Console.WriteLine();
            Console.WriteLine($"{kernel.Name}: {kernel.Kind}, panels × tokens {kernel.Panels} × {kernel.Tokens}, {kernel.CodeBytes} bytes");
            foreach (string line in kernel.Assembly)
            {
                Console.WriteLine(line);
            }
        }
    }

    private static EmittedCode.Kernel Disassemble(string name, string kind, int panels, int tokens, byte[] code)
        => new(name, kind, panels, tokens, code.Length, MachineCode.Disassemble(code).TrimEnd('\n').Split('\n'));

    private static string WhyNothing(string dtype, CpuFeatures features)
    {
        if (dtype != "auto")
        {
            return $"--dtype {dtype} computes with weights as stored and float32 activations, in code that .NET compiles; --dtype auto packs weights for emitted kernels.";
        }

        return features.Avx512Vnni || features.Avx512Bf16
            ? $"No matrix of the model has a packed kind (docs/kernels/packed.md) for this machine: {features}."
            : $"Emitted kernels need AVX-512 with VNNI or BF16; here: {features}.";
    }
}
