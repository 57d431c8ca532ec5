namespace Hadal.Server;

/// <summary>A loaded model with what gives its memory back.</summary>
/// <param name="Model">Its id is the source's.</param>
/// <param name="Unload">Called once nobody uses it any more; null for a model that stays.</param>
public sealed record HostedModel(ServedModel Model, Func<ValueTask>? Unload);
