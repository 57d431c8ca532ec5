using Hadal.Engine;

namespace Hadal.Extensions.AI.Tests;

internal sealed class ReadyModel(LanguageModel model) : ILanguageModelSource
{
    public string ModelId => model.Id;

    public ValueTask<LanguageModel> GetAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult(model);
}
