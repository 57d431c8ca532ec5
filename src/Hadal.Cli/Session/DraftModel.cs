using Hadal.Cli.Output;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>A smaller model that guesses for another. Its runner is the engine's to dispose; this holds the files it was bound from.</summary>
internal sealed class DraftModel : IDisposable
{
    private readonly Checkpoint _checkpoint;

    private DraftModel(Checkpoint checkpoint, IModelRunner runner)
    {
        _checkpoint = checkpoint;
        Runner = runner;
    }

    public IModelRunner Runner { get; }

    /// <param name="path">Hugging Face folder or .gguf file.</param>
    /// <param name="main">The model it guesses for.</param>
    /// <param name="load">How that one was loaded.</param>
    /// <exception cref="HadalException">The two do not share a vocabulary, or it cannot be loaded.</exception>
    public static DraftModel Load(string path, ModelSession main, LoadOptions load, CancellationToken cancellationToken)
    {
        Checkpoint checkpoint = Checkpoint.Open(path);
        try
        {
            CheckVocabulary(path, checkpoint, main);
            using var bar = new LoadProgressBar();
            var options = new LoadOptions
            {
                Fusion = load.Fusion,
                Cpu = load.Cpu with { Notice = bar.Note },
                NumBlocks = main.Runner.NumBlocks,
                SharedPool = ((CpuModelRunner)main.Runner).Program.Pool,
            };
            LoadedModel model = ModelLoader.Load(checkpoint.Config, checkpoint.Tensors, options, bar, cancellationToken);
            return new DraftModel(checkpoint, model.Runner);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public void Dispose() => _checkpoint.Dispose();

    /// <summary>An id must stand for the same bytes in both, or every guess would be of another token.</summary>
    private static void CheckVocabulary(string path, Checkpoint draft, ModelSession main)
    {
        if (main.Checkpoint is null)
        {
            throw new HadalException($"--speculate draft:{path}: synthetic weights have no vocabulary to share. Measure with a checkpoint.");
        }

        if (draft.Config.VocabSize != main.Config.VocabSize)
        {
            throw new HadalException($"--speculate draft:{path}: its vocabulary has {draft.Config.VocabSize} ids and that of {main.Name} {main.Config.VocabSize}. A draft model needs the same vocabulary.");
        }

        ITokenizer theirs = CheckpointText.LoadTokenizer(draft);
        ITokenizer ours = CheckpointText.LoadTokenizer(main.Checkpoint);
        for (int id = 0; id < main.Config.VocabSize; id++)
        {
            if (!theirs.TokenBytes(id).Span.SequenceEqual(ours.TokenBytes(id).Span))
            {
                throw new HadalException($"--speculate draft:{path}: id {id} is '{theirs.Decode([id])}' there and '{ours.Decode([id])}' in {main.Name}. A draft model needs the same vocabulary.");
            }
        }
    }
}
