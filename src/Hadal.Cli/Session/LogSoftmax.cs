namespace Hadal.Cli.Session;

/// <summary>ln softmax(logits)[i], summed in double.</summary>
internal static class LogSoftmax
{
    public static double At(ReadOnlySpan<float> logits, int index)
    {
        float max = float.NegativeInfinity;
        foreach (float v in logits)
        {
            max = Math.Max(max, v);
        }

        double sum = 0;
        foreach (float v in logits)
        {
            sum += MathF.Exp(v - max);
        }

        return logits[index] - max - Math.Log(sum);
    }
}
