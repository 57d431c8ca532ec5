using Microsoft.Extensions.Logging;

namespace Hadal.Engine;

internal static partial class EngineLog
{
    [LoggerMessage(Level = LogLevel.Error, Message = "A step of {NumSequences} sequences and {NumTokens} tokens failed; each is tried alone")]
    public static partial void StepFailed(ILogger logger, Exception exception, int numSequences, int numTokens);

    [LoggerMessage(Level = LogLevel.Error, Message = "Choice {ChoiceIndex} of request {RequestId} failed")]
    public static partial void SequenceFailed(ILogger logger, Exception exception, string requestId, int choiceIndex);

    [LoggerMessage(Level = LogLevel.Error, Message = "Speculation by {Method} failed and is off from now on; answers go on without it")]
    public static partial void DrafterFailed(ILogger logger, Exception exception, SpeculationMethod method);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Request {RequestId} ended: {Reason}, prompt {NumPromptTokens} ({NumCachedTokens} cached), answer {NumGeneratedTokens}")]
    public static partial void RequestFinished(ILogger logger, string requestId, FinishReason reason, int numPromptTokens, int numCachedTokens, int numGeneratedTokens);

    [LoggerMessage(Level = LogLevel.Information, Message = "Engine started: {NumBlocks} KV pages of {BlockSize} tokens, {MaxBatchedTokens} tokens per step, {MaxRunning} sequences")]
    public static partial void Started(ILogger logger, int numBlocks, int blockSize, int maxBatchedTokens, int maxRunning);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The device failed for good; the engine takes no more requests")]
    public static partial void DeviceFailed(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The engine's loop failed; it takes no more requests")]
    public static partial void LoopFailed(ILogger logger, Exception exception);
}
