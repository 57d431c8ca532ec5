namespace Hadal.Soak;

/// <summary>How a client reads.</summary>
internal enum Habit
{
    Reading,
    Slow,
    Stalled,
    Vanishing,
}
