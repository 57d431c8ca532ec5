using Hadal.Engine;
using Hadal.Formats.Chat;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;
using Hadal.Models.Loading;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI;

/// <summary>
/// A model that runs in this process. Any number of threads may ask it at once: their answers are made together, one step for all of them.
/// Disposing it ends what runs and frees the weights; clients made of it are of no use then.
/// </summary>
public sealed class HadalModel : ILanguageModelSource, IAsyncDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly LlmEngine _engine;

    private HadalModel(Checkpoint checkpoint, LlmEngine engine, LanguageModel model)
    {
        _checkpoint = checkpoint;
        _engine = engine;
        Model = model;
    }

    public LanguageModel Model { get; }

    public string ModelId => Model.Id;

    /// <summary>Counts since it was loaded, and what runs now.</summary>
    public EngineStats GetStats() => _engine.GetStats();

    /// <summary>Loads a Hugging Face folder or a .gguf file. Takes as long as the weights take to read.</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told after each weight.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="Hadal.Numerics.HadalException">It is not there, damaged, or of no family that is known here; or memory does not hold it.</exception>
    public static HadalModel Load(string path, HadalModelOptions? options = null, IProgress<Graph.Execution.LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string name = Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        return Load(Checkpoint.Open(path), name, options, progress, cancellationToken);
    }

    /// <summary>Loads a checkpoint that is open, such as that of Hadal.Demo.</summary>
    /// <param name="checkpoint">Owned by the model from here on, also where loading fails.</param>
    /// <param name="name">What clients call it, unless the options say.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told after each weight.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="Hadal.Numerics.HadalException">As above.</exception>
    public static HadalModel Load(Checkpoint checkpoint, string name, HadalModelOptions? options = null, IProgress<Graph.Execution.LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        options ??= new HadalModelOptions();
        LoadedModel? loaded = null;
        try
        {
            ITokenizer tokenizer = CheckpointText.LoadTokenizer(checkpoint);
            IChatTemplate? template = CheckpointText.LoadChatTemplate(checkpoint);
            loaded = ModelLoader.Load(checkpoint.Config, checkpoint.Tensors, options.Load with { MaxSequences = options.Engine.MaxRunning }, progress, cancellationToken);
            List<int> endTokens = [.. checkpoint.Config.EosTokenIds];
            if (tokenizer.EosTokenId is { } end && !endTokens.Contains(end))
                endTokens.Add(end);
            var engine = new LlmEngine(loaded.Runner, options.Engine with
            {
                EosTokenIds = endTokens,
                CreateDecoder = skipSpecial => new StreamTextDecoder(tokenizer, skipSpecial),
            });
            return new HadalModel(checkpoint, engine, new LanguageModel
            {
                Id = options.ModelId ?? name,
                Engine = engine,
                Tokenizer = tokenizer,
                ChatTemplate = template,
                Config = checkpoint.Config,
                ReasoningMarkers = ReasoningMarkers.Detect(tokenizer, template),
                ToolCallFormat = options.ToolCallFormat ?? ToolCallFormat.Detect(tokenizer, template),
            });
        }
        catch
        {
            loaded?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>A client of this model. It may be disposed or not: the model stays.</summary>
    public IChatClient AsChatClient() => new HadalChatClient(this);

    /// <summary>Embeddings of this model.</summary>
    public IEmbeddingGenerator<string, Embedding<float>> AsEmbeddingGenerator() => new HadalEmbeddingGenerator(this);

    ValueTask<LanguageModel> ILanguageModelSource.GetAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Model);

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _checkpoint.Dispose();
    }
}
