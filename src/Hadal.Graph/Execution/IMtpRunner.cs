namespace Hadal.Graph.Execution;

/// <summary>
/// A runner whose model carries a multi-token-prediction layer: h'(i) = layer([embed(token i+1) ; h(i)]), and its logits speak about token i+2
/// (arXiv:2412.19437, section 2.2). The layer has KV pages of its own under the model's block ids.
/// </summary>
public interface IMtpRunner : IModelRunner
{
    /// <summary>The layer is loaded to be run.</summary>
    bool HasMtp { get; }

    /// <summary>Runs the layer. A row of the batch at position i holds token i + 1 of its sequence.</summary>
    /// <param name="batch">Tokens, positions and pages; positions may be counted from any page of the sequence, since attention knows distances only.</param>
    /// <param name="hiddenRows">For each token of the batch, the row of the hidden state that goes with it.</param>
    /// <param name="again">False: rows are tokens of the last <see cref="IModelRunner.Run"/>. True: they are logit rows of the last call of this, whose output stands in for the model's.</param>
    /// <returns>[NumLogitRows, VocabSize] float32, valid until the next call of anything here.</returns>
    ReadOnlySpan<float> RunMtp(StepBatch batch, ReadOnlySpan<int> hiddenRows, bool again);
}
