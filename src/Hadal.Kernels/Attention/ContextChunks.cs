namespace Hadal.Kernels.Attention;

/// <summary>How a context is cut for attention: by its length alone, so that neither the batch nor the workers change a bit of the sum.</summary>
internal static class ContextChunks
{
    private const int MinKeys = 256;

    // Bounds what the states of a task that is shared out take.
    private const int MaxChunks = 32;

    public static int Keys(int context)
    {
        int keys = (context + MaxChunks - 1) / MaxChunks;
        return Math.Max(MinKeys, (keys + MinKeys - 1) / MinKeys * MinKeys);
    }

    public static int Count(int context) => (context + Keys(context) - 1) / Keys(context);
}
