using Hadal.Graph.Ir;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Moe;

namespace Hadal.Graph.Cuda;

/// <summary>Matmuls of float32 activations; every other operation goes by its values' types.</summary>
public sealed partial class CudaCompiler
{
    private CudaOp LinearF32(Node node, IReadOnlyList<(DeviceWeight Weight, int FirstRow)> stacks, nint biases, CudaBuffer x, CudaBuffer? residual, CudaBuffer y)
    {
        CudaWeights weights = _weights;
        return new CudaOp(
            node,
            s =>
            {
                DeviceMatrix whole = y.Matrix(s);
                foreach ((DeviceWeight weight, int first) in stacks)
                {
                    MatMulF32Cuda.Run(
                        s.Kernels, s.Stream, x.Matrix(s), weight, weights.RestOf(weight), biases == 0 ? 0 : biases + (first * sizeof(float)),
                        residual is { } r ? r.Matrix(s).ColumnRange(first, weight.Rows) : default, whole.ColumnRange(first, weight.Rows), s.Workspace);
                }
            },
            shape => new StepScratch(stacks.Max(stack => MatMulF32Cuda.WorkspaceBytes(shape.Rows(x.Rows), stack.Weight))));
    }

    private CudaOp GateUpF32(Node node, IReadOnlyList<(DeviceWeight Weight, int FirstRow)> stacks, CudaBuffer x, CudaBuffer y)
    {
        CudaWeights weights = _weights;
        int both = stacks.Sum(stack => stack.Weight.Rows);
        return new CudaOp(
            node,
            s =>
            {
                DeviceMatrix input = x.Matrix(s);
                DeviceMatrix sums = MatMulF32Cuda.Rows(s.Workspace, input.Rows, both);
                nint free = s.Workspace + (nint)MatMulF32Cuda.RowBytes(input.Rows, both);
                foreach ((DeviceWeight weight, int first) in stacks)
                {
                    MatMulF32Cuda.Run(s.Kernels, s.Stream, input, weight, weights.RestOf(weight), 0, default, sums.ColumnRange(first, weight.Rows), free);
                }

                MatMulF32Cuda.Activate(s.Kernels, s.Stream, sums, y.Matrix(s));
            },
            shape => new StepScratch(MatMulF32Cuda.RowBytes(shape.Rows(x.Rows), both) + stacks.Max(stack => MatMulF32Cuda.WorkspaceBytes(shape.Rows(x.Rows), stack.Weight))));
    }

    private CudaOp ExpertsF32(
        Node node, DeviceWeight gateUp, DeviceWeight down, int count, RouterConfig config, CudaBuffer x, CudaBuffer weights, CudaBuffer? residual, CudaBuffer y)
    {
        (DeviceWeight gateUpRest, DeviceWeight downRest) = (_weights.RestOf(gateUp), _weights.RestOf(down));
        int topK = config.TopK;
        return new CudaOp(
            node,
            s =>
            {
                DeviceMatrix output = y.Matrix(s);
                int pairs = output.Rows * topK;
                ExpertOrder order = ExpertPlan.Order(s.Kept, s.Shape.NumTokens, config);
                DeviceMatrix rows = MatMulF32Cuda.Rows(s.Workspace, pairs, output.Columns);
                MatMulF32Cuda.RunExperts(
                    s.Kernels, s.Stream, x.Matrix(s), gateUp, gateUpRest, down, downRest, count, order, topK, rows, s.Workspace + (nint)MatMulF32Cuda.RowBytes(pairs, output.Columns));
                MoeCombineCuda.Run(s.Kernels, s.Stream, rows, order.Positions, weights.Matrix(s).Data, topK, default, residual is { } r ? r.Matrix(s) : default, output);
            },
            shape => new StepScratch(
                MatMulF32Cuda.RowBytes(shape.NumTokens * topK, y.Columns) + MatMulF32Cuda.ExpertWorkspaceBytes(shape.NumTokens, topK, gateUp, down, count),
                Kept: ExpertPlan.Bytes(shape.NumTokens, config)));
    }
}
