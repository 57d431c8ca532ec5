using Hadal.Engine;
using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Optimize.Calibration;

/// <summary>Text that the model writes itself, from nothing but its first token: what it was trained on shows in it, and no other data is needed.</summary>
public static class SelfText
{
    /// <param name="config">The model.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="rows">Texts to write; the same ones every time.</param>
    /// <param name="rowTokens">Tokens each; a text that ends before is followed by another in the same row.</param>
    /// <param name="threads">Workers.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static async Task<IReadOnlyList<int[]>> WriteAsync(ModelConfig config, ITensorSource source, int rows, int rowTokens, int threads, CancellationToken cancellationToken)
    {
        int first = config.BosTokenId ?? (config.EosTokenIds.Count > 0 ? config.EosTokenIds[0] : throw new HadalException("--calibration self: the model names no token that a text begins with; give a file of text."));
        LoadedModel model = ModelLoader.Load(config, source, new LoadOptions
        {
            Cpu = new CpuOptions { Threads = threads, Pack = true, Preload = false, KvDType = DType.Bf16 },
            MaxContextLen = Math.Min(config.MaxPositionEmbeddings, rowTokens + 1),
            MaxSequences = 64,
        }, null, cancellationToken);
        await using var engine = new LlmEngine(model.Runner, new EngineOptions { EosTokenIds = config.EosTokenIds, EnablePrefixCaching = false });
        return await Task.WhenAll(Enumerable.Range(0, rows).Select(i => RowAsync(engine, first, i, rowTokens, cancellationToken))).ConfigureAwait(false);
    }

    private static async Task<int[]> RowAsync(LlmEngine engine, int first, int row, int rowTokens, CancellationToken cancellationToken)
    {
        var tokens = new List<int>(rowTokens);
        for (int part = 0; tokens.Count < rowTokens - 1; part++)
        {
            tokens.Add(first);
            var request = new GenerationRequest
            {
                Id = $"self-{row}-{part}",
                PromptTokens = [first],
                Sampling = new SamplingParams { Temperature = 1, Seed = ((ulong)row * 1000) + (ulong)part, MaxTokens = rowTokens - tokens.Count },
            };
            await foreach (GenerationEvent e in engine.GenerateAsync(request, cancellationToken).ConfigureAwait(false))
            {
                if (e.TokenId >= 0)
                {
                    tokens.Add(e.TokenId);
                }
            }
        }

        return [.. tokens];
    }
}
