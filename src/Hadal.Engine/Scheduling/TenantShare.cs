namespace Hadal.Engine.Scheduling;

/// <summary>One tenant's account of the engine. Touched only by the engine's thread.</summary>
internal sealed class TenantShare(string name)
{
    public string Name { get; } = name;

    /// <summary>Tokens computed for it, on a clock that all tenants share: whoever is behind goes first. Being idle earns nothing (<see cref="WaitingQueue"/>).</summary>
    public long VirtualTime { get; set; }

    /// <summary>Requests that wait or run.</summary>
    public int NumUnfinished { get; set; }

    /// <summary>Lanes with waiting requests.</summary>
    public int NumLanes { get; set; }
}
