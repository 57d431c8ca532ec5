namespace Hadal.Jit;

/// <summary>Whether the workers of a <see cref="WorkerPool"/> stay on the processors of the memory node they are numbered into.</summary>
public enum ThreadPinning
{
    /// <summary>On where this process may use processors of more than one node.</summary>
    Auto,

    /// <summary>Also with one node: workers then keep to the processors that the process was allowed when the pool was made.</summary>
    On,

    /// <summary>The operating system moves workers as it likes.</summary>
    Off,
}
