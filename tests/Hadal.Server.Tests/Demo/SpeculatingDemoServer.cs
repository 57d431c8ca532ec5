using Hadal.Engine;

namespace Hadal.Server.Tests.Demo;

/// <summary>The bundled model guessing by its own layer, always three tokens.</summary>
public sealed class SpeculatingDemoServer : DemoServer
{
    protected override SpeculationOptions? Speculation => new() { Method = SpeculationMethod.Mtp, MaxDraftTokens = 3, Adaptive = false };
}
