namespace Hadal.Engine.Requests;

internal enum SequenceState
{
    /// <summary>A further choice of a request whose prompt is still being computed by the first.</summary>
    Held,

    /// <summary>In the waiting queue, without pages.</summary>
    Waiting,

    /// <summary>Holds pages and gets a share of every step.</summary>
    Running,

    Finished,
}
