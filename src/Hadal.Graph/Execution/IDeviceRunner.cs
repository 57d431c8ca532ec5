using Hadal.Graph.Ir;

namespace Hadal.Graph.Execution;

/// <summary>A compiled model on some device: a runner, with what people ask of it.</summary>
public interface IDeviceRunner : IModelRunner
{
    ModelGraph Graph { get; }

    /// <summary>The device, for people: threads and instructions, or the card.</summary>
    string Device { get; }

    /// <summary>Bytes of weights as they are computed with, scales included.</summary>
    long WeightBytes { get; }

    long KvBytes { get; }

    /// <summary>Bytes of activations and workspaces as they are now.</summary>
    long ActivationBytes { get; }

    /// <summary>Where the time goes, by operation; null (and free) unless someone asks.</summary>
    StepProfile? Profile { get; set; }

    /// <summary>Bytes the operations read of a weight, scales included.</summary>
    long ByteLengthOf(WeightSpec spec);

    /// <summary>What decoding is bound by: bytes a second that a plain read of this device's memory moves, in 1e9.</summary>
    double MeasureReadBandwidth();

    /// <summary>A named output of the last step (hidden states, when the graph was built to keep them).</summary>
    /// <returns>[rows, columns] float32.</returns>
    float[] Output(string name);
}
