namespace Hadal.Server;

/// <summary>A model that is loaded when it is first asked for, and may be unloaded when nobody asks for it any more.</summary>
public sealed class ModelSource
{
    /// <summary>The <c>model</c> of requests and answers.</summary>
    public required string Id { get; init; }

    /// <summary>Further names under which requests may ask for it.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Id of the base model of an adapter.</summary>
    public string? Parent { get; private init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary>Loads it: called on the thread pool, by one at a time, and again after it was unloaded or has failed.</summary>
    public required Func<CancellationToken, Task<HostedModel>> LoadAsync { get; init; }

    /// <summary>A model that is there already and stays its owner's.</summary>
    public static ModelSource Of(ServedModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new ModelSource
        {
            Id = model.Id,
            Aliases = model.Aliases,
            Created = model.Created,
            LoadAsync = _ => Task.FromResult(new HostedModel(model, Unload: null)),
            Parent = model.Parent,
            Resident = model,
        };
    }

    internal ServedModel? Resident { get; private init; }
}
