using Hadal.Graph.Ir;
using Hadal.Numerics;

namespace Hadal.Graph.Passes;

/// <summary>Which passes run: <c>none</c>, <c>default</c> (all, in order), or a list of names.</summary>
public sealed class FusionPlan
{
    private FusionPlan(string name, IReadOnlyList<IGraphPass> passes, bool shareBuffers)
    {
        Name = name;
        Passes = passes;
        ShareBuffers = shareBuffers;
    }

    /// <summary>Every pass there is, in the order they run. Biases go into the matmuls before those are joined, and gate and up become one operation before they could be joined with others; adds go to norms before epilogues take what is left.</summary>
    public static IReadOnlyList<IGraphPass> All { get; } =
    [
        new BiasEpilogue(), new SiluMul(), new GateUp(), new JoinProjections(), new RopeCacheWrite(), new MlaAbsorption(),
        new GroupExperts(), new ResidualNorm(), new ResidualEpilogue(), new DeadNodes(),
    ];

    public static FusionPlan None { get; } = new("none", [], shareBuffers: false);

    public static FusionPlan Default { get; } = new("default", All, shareBuffers: true);

    public string Name { get; }

    public IReadOnlyList<IGraphPass> Passes { get; }

    /// <summary>Buffers of values that are not alive together share memory.</summary>
    public bool ShareBuffers { get; }

    /// <param name="text"><c>none</c>, <c>default</c>, names joined by commas, or <c>default,-name</c> to leave some out.</param>
    /// <exception cref="HadalException">A name is none of the passes.</exception>
    public static FusionPlan Parse(string text)
    {
        var chosen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string raw in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            bool drop = raw.StartsWith('-');
            string name = drop ? raw[1..] : raw;
            switch (name)
            {
                case "none":
                    chosen.Clear();
                    break;
                case "default":
                    chosen.UnionWith(All.Select(p => p.Name));
                    chosen.Add(SharingName);
                    break;
                case SharingName:
                case var _ when All.Any(p => p.Name == name):
                    _ = drop ? chosen.Remove(name) : chosen.Add(name);
                    break;
                default:
                    throw new HadalException(
                        $"--fusion: '{name}' is no pass. Give none, default, or some of: {string.Join(", ", All.Select(p => p.Name))}, {SharingName} (a leading - leaves one out, as in default,-{All[0].Name}).");
            }
        }

        return new FusionPlan(text, [.. All.Where(p => chosen.Contains(p.Name))], chosen.Contains(SharingName));
    }

    /// <summary>The plan with a pass left out.</summary>
    public FusionPlan Without(string pass) => Passes.Any(p => p.Name == pass) ? new($"{Name},-{pass}", [.. Passes.Where(p => p.Name != pass)], ShareBuffers) : this;

    /// <summary>Runs the passes.</summary>
    /// <returns>Each pass with the number of places it changed.</returns>
    public IReadOnlyList<(IGraphPass Pass, int Changes)> Apply(ModelGraph graph)
        => [.. Passes.Select(p => (p, p.Apply(graph)))];

    private const string SharingName = "buffer-sharing";
}
