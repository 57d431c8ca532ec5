namespace Hadal.Engine;

/// <summary>Where drafts come from.</summary>
public enum SpeculationMethod
{
    /// <summary>The tokens that followed the last ones when they stood earlier in prompt or answer (prompt lookup). Works with every model.</summary>
    Ngram,

    /// <summary>The model's own multi-token-prediction layer (arXiv:2412.19437, section 2.2), applied again for each further token. The runner must be an <see cref="Graph.Execution.IMtpRunner"/> that has one.</summary>
    Mtp,

    /// <summary>A smaller model of the same vocabulary (arXiv:2211.17192).</summary>
    DraftModel,
}
