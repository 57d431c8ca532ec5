namespace Hadal.Jit;

/// <summary>One operation's work, split by worker. Implemented by structs on the caller's stack.</summary>
public interface IWork
{
    /// <summary>Does the share of <paramref name="worker"/> of <paramref name="numWorkers"/>; shares must not write to the same bytes.</summary>
    void Run(int worker, int numWorkers);
}
