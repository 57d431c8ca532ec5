namespace Hadal.Engine;

/// <summary>Gives a model that may still be loading. Thread-safe.</summary>
public interface ILanguageModelSource
{
    /// <summary>Known before it is loaded.</summary>
    string ModelId { get; }

    /// <summary>Begins the loading where nobody has, and waits for its end.</summary>
    /// <exception cref="Hadal.Numerics.HadalException">It cannot be loaded; every later call says so too.</exception>
    ValueTask<LanguageModel> GetAsync(CancellationToken cancellationToken = default);
}
