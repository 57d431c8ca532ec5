using Hadal.Numerics;
using Hadal.Server.Http;

namespace Hadal.Server;

/// <summary>The served models by id and alias. Immutable.</summary>
internal sealed class ModelRegistry
{
    private readonly Dictionary<string, ServedModel> _byName = new(StringComparer.Ordinal);

    public ModelRegistry(IReadOnlyList<ServedModel> models)
    {
        if (models.Count == 0)
            throw new HadalException("There is no model to serve: at least one is needed.");

        Models = models;
        foreach (var model in models)
        {
            Add(model.Id, model);
            foreach (string alias in model.Aliases)
                Add(alias, model);
        }
    }

    public IReadOnlyList<ServedModel> Models { get; }

    /// <summary>Every name under which a model can be asked for, in the order given.</summary>
    public IEnumerable<KeyValuePair<string, ServedModel>> Names => _byName;

    public ServedModel Get(string name) => _byName.TryGetValue(name, out var model) ? model : throw ApiException.ModelNotFound(name, string.Join(", ", _byName.Keys));

    private void Add(string name, ServedModel model)
    {
        if (string.IsNullOrEmpty(name) || !_byName.TryAdd(name, model))
            throw new HadalException($"Model name '{name}' is empty or served twice; each id and alias must be one of its own.");
    }
}
