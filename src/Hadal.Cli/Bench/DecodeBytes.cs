using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Cli.Bench;

/// <summary>Weights that a decoding step reads: everything but the experts nobody chooses and the embedding's other rows.</summary>
internal static class DecodeBytes
{
    /// <param name="runner">The model.</param>
    /// <param name="batch">Sequences, which choose their experts evenly and independently.</param>
    public static long PerStep(IDeviceRunner runner, int batch)
    {
        long bytes = 0;
        var counted = new HashSet<WeightSpec>();
        int topK = runner.Graph.Nodes.Select(n => n.Op).OfType<RouterOp>().FirstOrDefault()?.Config.TopK ?? 0;
        foreach (Node node in runner.Graph.Nodes)
        {
            // Two operations share a latent up-projection, half each; an embedding may be tied to the head.
            long all = node.Op.Weights.Where(w => node.Op is EmbedOp || counted.Add(w)).Sum(runner.ByteLengthOf);
            bytes += node.Op switch
            {
                ExpertsOp experts => (long)(all * (1 - Math.Pow(1 - ((double)topK / experts.Gate.Count), batch))),
                EmbedOp embed => all / embed.Weight.Rows * batch,
                _ => all,
            };
        }

        return bytes;
    }
}
