using Hadal.Engine;
using Hadal.Engine.Tests.Fakes;

namespace Hadal.Server.Tests.Fakes;

/// <summary>The real engine over a runner that hashes: what the server does to it shows in pages and steps.</summary>
internal static class HashEngine
{
    public static (LlmEngine Engine, PagedHashRunner Runner) Create(Func<EngineOptions, EngineOptions>? configure = null, int maxContextLen = 4096)
    {
        var tokenizer = new ToyTokenizer();
        var runner = new PagedHashRunner(tokenizer.VocabSize, maxContextLen, blockSize: 16, numBlocks: 4096);
        var options = new EngineOptions { EosTokenIds = [ToyTokenizer.Eos], CreateDecoder = skip => new StreamTextDecoder(tokenizer, skip) };
        return (new LlmEngine(runner, configure?.Invoke(options) ?? options), runner);
    }
}
