using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;

namespace Hadal.Graph.Cuda;

/// <summary>The modules a program will launch from, so that the driver assembles them while weights load: one after the other at the first step they take many seconds.</summary>
internal static class KernelModules
{
    /// <summary>Of the program; one that is left out is loaded at its first launch.</summary>
    public static string[] Of(ModelGraph graph, IReadOnlySet<DeviceWeightKind> kinds, CudaKernels kernels)
    {
        bool gqa = graph.Nodes.Any(n => n.Op is AttentionOp);
        bool mla = graph.Nodes.Any(n => n.Op is MlaAttentionOp or MlaLatentAttentionOp);
        bool experts = graph.Nodes.Any(n => n.Op is ExpertsOp);
        bool hopper = kernels.IsHopper;
        List<string> modules = [];
        // The slowest to assemble first.
        Add("PagedAttention", gqa);
        Add("MlaLatentAttention", mla);
        Add("SkinnyInt4", kinds.Contains(DeviceWeightKind.Int4Group));
        Add("SkinnyInt8", kinds.Contains(DeviceWeightKind.Int8Row) || kinds.Contains(DeviceWeightKind.Int8Group));
        Add("SkinnyFp8", kinds.Contains(DeviceWeightKind.Fp8Row) || kinds.Contains(DeviceWeightKind.Fp8Block));
        Add("MatMulLargeBf16", hopper);
        Add("MatMulLargeMma", !hopper);
        Add("MatMulLargeFp8Block", hopper && kinds.Contains(DeviceWeightKind.Fp8Block));
        Add("MatMulLargeFp8", hopper && kinds.Contains(DeviceWeightKind.Fp8Row));
        Add("MatMulLargeInt8", hopper && kinds.Contains(DeviceWeightKind.Int8Row));
        Add("SkinnyBf16", true);
        Add("PagedPromptSm90", gqa && hopper);
        Add("MlaHeads", mla);
        Add("router", experts);
        Add("moe_combine", experts);
        Add("quantize", kinds.Any(k => k is DeviceWeightKind.Fp8Row or DeviceWeightKind.Fp8Block or DeviceWeightKind.Int8Row));
        Add("Dequantise", kinds.Any(k => k is DeviceWeightKind.Int4Group or DeviceWeightKind.Int8Group));
        Add("sampling", true);
        Add("rope", true);
        Add("rms_norm", true);
        Add("elementwise", true);
        Add("embed", true);
        return [.. modules];

        void Add(string module, bool wanted)
        {
            if (wanted)
            {
                modules.Add(module);
            }
        }
    }
}
