using Hadal.Numerics;
using Hadal.Server.Http;
using Hadal.Server.Models;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hadal.Server;

/// <summary>The served models by id and alias. The set is fixed; models come into memory and leave it.</summary>
internal sealed class ModelRegistry : IAsyncDisposable
{
    private readonly Dictionary<string, ModelSlot> _byName = new(StringComparer.Ordinal);
    private readonly List<ModelSlot> _slots = [];
    private readonly ITimer? _timer;

    public ModelRegistry(IReadOnlyList<ModelSource> sources, HadalServerOptions options, ILogger logger)
    {
        if (sources.Count == 0)
            throw new HadalException("There is no model to serve: at least one is needed.");

        foreach (var source in sources)
        {
            var slot = new ModelSlot(source, options.TimeProvider, logger);
            _slots.Add(slot);
            Add(source.Id, slot);
            foreach (string alias in source.Aliases)
                Add(alias, slot);
        }

        if (options.IdleUnload is { } idle)
        {
            var period = TimeSpan.FromTicks(Math.Clamp(idle.Ticks / 4, TimeSpan.TicksPerSecond / 20, TimeSpan.TicksPerMinute));
            _timer = options.TimeProvider.CreateTimer(_ => UnloadIdle(idle), null, period, period);
        }
    }

    public IReadOnlyList<ModelSource> Sources => [.. _slots.Select(slot => slot.Source)];

    /// <summary>Those in memory now.</summary>
    public IEnumerable<ServedModel> Loaded => _slots.Select(slot => slot.Loaded).OfType<ServedModel>();

    /// <summary>Of those, one for each engine: adapters share their base's, which is counted once.</summary>
    public IEnumerable<ServedModel> Engines => Loaded.Where(model => model.Adapter is null);

    /// <summary>Every name under which a model can be asked for, in the order given, with the model where it is loaded.</summary>
    public IEnumerable<(string Name, ModelSource Source, ServedModel? Loaded)> Names => _byName.Select(entry => (entry.Key, entry.Value.Source, entry.Value.Loaded));

    /// <summary>The model, loaded if need be; it stays until the request's answer is out. Null asks for the first.</summary>
    /// <exception cref="ApiException">There is none of that name.</exception>
    /// <exception cref="ModelLoadException">It could not be loaded.</exception>
    public async ValueTask<ServedModel> GetAsync(HttpContext context, string? name)
    {
        var slot = name is null ? _slots[0] : Find(name);
        var lease = await slot.AcquireAsync(context.RequestAborted);
        context.Response.RegisterForDispose(lease);
        return lease.Model;
    }

    public (ModelSource Source, ServedModel? Loaded) Describe(string name)
    {
        var slot = Find(name);
        return (slot.Source, slot.Loaded);
    }

    /// <summary>Unloads what is loaded; nobody may use it any more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_timer is not null)
            await _timer.DisposeAsync();
        foreach (var slot in _slots)
            await slot.UnloadAsync(TimeSpan.Zero);
    }

    private void UnloadIdle(TimeSpan idle)
    {
        foreach (var slot in _slots)
            _ = slot.UnloadAsync(idle); // catches what it meets
    }

    private ModelSlot Find(string name) => _byName.TryGetValue(name, out var slot) ? slot : throw ApiException.ModelNotFound(name, string.Join(", ", _byName.Keys));

    private void Add(string name, ModelSlot slot)
    {
        if (string.IsNullOrEmpty(name) || !_byName.TryAdd(name, slot))
            throw new HadalException($"Model name '{name}' is empty or served twice; each id and alias must be one of its own.");
    }
}
