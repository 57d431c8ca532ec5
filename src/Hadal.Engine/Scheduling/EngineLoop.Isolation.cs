using Hadal.Engine.Requests;

namespace Hadal.Engine.Scheduling;

/// <summary>What happens when a step throws.</summary>
internal sealed partial class EngineLoop
{
    /// <summary>
    /// Runs the failed step's sequences one by one, so that only those end whose own share fails. Computing a share again is harmless: it writes the same
    /// keys and values to the same places. A broken device is not tried again; then nothing can be computed any more, and nothing is admitted.
    /// </summary>
    private void RunApart(Exception failure)
    {
        if (_runner.Failure is { } broken)
        {
            GiveUp(broken);
            return;
        }

        if (_scheduler.NumScheduled == 1)
        {
            Fail(_scheduler.Scheduled[0], failure);
            return;
        }

        for (int i = 0; i < _scheduler.NumScheduled; i++)
        {
            Sequence s = _scheduler.Scheduled[i];
            if (s.State == SequenceState.Finished)
                continue; // its request has ended with another of its choices
            ReadOnlySpan<Sequence> alone = _scheduler.Scheduled.Slice(i, 1);
            ReadOnlySpan<float> logits;
            try
            {
                logits = Run(alone);
            }
            catch (Exception e)
            {
                if (_runner.Failure is { } brokenNow)
                {
                    GiveUp(brokenNow);
                    return;
                }

                Fail(s, e);
                continue;
            }

            Update(alone, logits);

            // The drafter saw nothing of this step; it begins anew.
            s.CutDrafts(0);
            s.Draft.ContextStart = -1;
        }
    }

    private void Fail(Sequence s, Exception failure) => FinishRequest(s.Request, FinishReason.Error, $"The model step failed: {failure.Message}");

    private void GiveUp(string broken)
    {
        var unavailable = new EngineUnavailableException($"The device has failed and can compute nothing any more; restart the process. {broken}");
        EngineLog.DeviceFailed(_options.Logger, unavailable);
        _inbox.Close(unavailable);
        FinishAll(FinishReason.Error, unavailable.Message);
    }
}
