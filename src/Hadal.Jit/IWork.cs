namespace Hadal.Jit;

/// <summary>One operation's work, cut into shares. Implemented by structs on the caller's stack.</summary>
public interface IWork
{
    /// <summary>Does one share. Shares run at the same time or one after the other, on any thread, each once; they must not write to the same bytes.</summary>
    void Run(int worker, int numWorkers);
}
