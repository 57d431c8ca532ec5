namespace Hadal.Cli.Verbs;

/// <summary>The kernels emitted for a program: who runs which, and what each consists of.</summary>
internal sealed record EmittedCode
{
    /// <summary>What the processor offers to emitted code.</summary>
    public required string Features { get; init; }

    /// <summary>Why nothing is emitted; null where something is.</summary>
    public string? Nothing { get; init; }

    public required IReadOnlyList<Use> Uses { get; init; }

    /// <summary>Each distinct kernel once.</summary>
    public required IReadOnlyList<Kernel> Kernels { get; init; }

    /// <param name="Scope">Where in the model.</param>
    /// <param name="Operation">The node's.</param>
    /// <param name="Weight">Name of the matrix, or of the first of several.</param>
    /// <param name="Matrices">How many there are: the routed experts of a layer, or 1.</param>
    /// <param name="Rows">Outputs.</param>
    /// <param name="Columns">Inputs.</param>
    /// <param name="Kind">How it is packed; null where it is computed with as stored.</param>
    /// <param name="Kernels">Names of those that multiply by it.</param>
    internal sealed record Use(string Scope, string Operation, string Weight, int Matrices, int Rows, int Columns, string? Kind, IReadOnlyList<string> Kernels);

    internal sealed record Kernel(string Name, string Kind, int Panels, int Tokens, int CodeBytes, IReadOnlyList<string> Assembly);
}
