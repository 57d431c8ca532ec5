using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Passes;

namespace Hadal.Models.Loading;

/// <summary>A model ready to run. Disposing it frees runner and weights, not the tensor source they were bound from.</summary>
public sealed class LoadedModel : IDisposable
{
    internal LoadedModel(ModelConfig config, IDeviceRunner runner, IReadOnlyList<(IGraphPass Pass, int Changes)> passes, bool hasMtp)
    {
        Config = config;
        Runner = runner;
        Passes = passes;
        HasMtp = hasMtp;
    }

    public ModelConfig Config { get; }

    public IDeviceRunner Runner { get; }

    /// <summary>The runner, of a model loaded for the CPU.</summary>
    public CpuModelRunner Cpu => (CpuModelRunner)Runner;

    public ModelGraph Graph => Runner.Graph;

    /// <summary>The passes that ran, with the number of places each changed.</summary>
    public IReadOnlyList<(IGraphPass Pass, int Changes)> Passes { get; }

    /// <summary>The checkpoint carries multi-token-prediction layers; they are loaded and checked; the first can be run where <see cref="LoadOptions.Mtp"/> asks for it.</summary>
    public bool HasMtp { get; }

    public void Dispose() => Runner.Dispose();
}
