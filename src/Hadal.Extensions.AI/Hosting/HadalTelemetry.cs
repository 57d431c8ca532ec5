namespace Hadal.Extensions.AI;

/// <summary>Names to give to <c>AddSource</c> and <c>AddMeter</c> of OpenTelemetry.</summary>
public static class HadalTelemetry
{
    /// <summary>Of activities and metrics alike.</summary>
    public const string SourceName = "Hadal.Extensions.AI";
}
