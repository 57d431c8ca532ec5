using Hadal.Numerics;

namespace Hadal.Engine;

/// <summary>A request's time (<see cref="GenerationRequest.Timeout"/>) was over before its last token.</summary>
public sealed class DeadlineExceededException(TimeSpan timeout, bool hasStarted)
    : HadalException(string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"The request's time of {timeout.TotalSeconds:0.###} s is over; it {(hasStarted ? "was being answered" : "was still waiting for a place")}. Give it more time{(hasStarted ? ", or ask for fewer tokens" : ", or try again later")}."))
{
    public TimeSpan Timeout { get; } = timeout;

    /// <summary>False: it never left the queue, and no work was done for it.</summary>
    public bool HasStarted { get; } = hasStarted;
}
