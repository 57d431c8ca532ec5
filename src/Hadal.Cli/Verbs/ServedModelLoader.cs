using System.CommandLine;
using Hadal.Cli.Canary;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Engine;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Server;

namespace Hadal.Cli.Verbs;

/// <summary>The models of a command line, as the server is to have them.</summary>
internal sealed class ServedModelLoader(
    ModelOptions options, LoraOption lora, StartUpCanary canary, SpeculationArguments speculation, string toolParser, ParseResult parsed, EngineOptions engine, CancellationToken cancellationToken)
{
    /// <summary>Loads one, and lets it be served only if its canary lives.</summary>
    /// <param name="path">In place of MODEL, where a command line names several; null for MODEL.</param>
    public EngineSession Load(string? path)
    {
        EngineSession session = EngineSession.Load(
            options, speculation, lora, parsed, engine, engine.MaxRunning, cancellationToken, loaded => canary.Check(loaded, parsed, cancellationToken), path);
        Terminal.Note($"{session.Name}: context {session.Engine.MaxContextLen} tokens, KV pages for {session.KvTokens} tokens");
        return session;
    }

    /// <summary>One that is loaded when it is first asked for. Its configuration is read now, so that a wrong path is said at once.</summary>
    /// <param name="path">The model; null for the bundled one.</param>
    /// <param name="name">What clients call it; null for its own name.</param>
    public ModelSource Later(string? path, string? name)
    {
        (string found, ModelConfig _, Checkpoint? checkpoint) = ModelSession.Open(options, parsed, path);
        checkpoint?.Dispose();
        string id = name ?? found;
        return new ModelSource
        {
            Id = id,
            Created = TimeProvider.System.GetUtcNow(),
            LoadAsync = _ =>
            {
                EngineSession session = Load(path);
                return Task.FromResult(new HostedModel(ServedModels.Of(session, id, toolParser), session.DisposeAsync));
            },
        };
    }
}
