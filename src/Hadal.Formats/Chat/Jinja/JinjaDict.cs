namespace Hadal.Formats.Chat.Jinja;

/// <summary>A dictionary in order of insertion.</summary>
internal sealed class JinjaDict
{
    public OrderedDictionary<object, object?> Items { get; } = new(KeyComparer.Instance);

    /// <summary>Python's keys: 1, 1.0 and True are the same one.</summary>
    private sealed class KeyComparer : IEqualityComparer<object>
    {
        public static readonly KeyComparer Instance = new();

        public new bool Equals(object? x, object? y) => Normalize(x!).Equals(Normalize(y!));

        public int GetHashCode(object obj) => Normalize(obj).GetHashCode();

        private static object Normalize(object key) => key switch
        {
            bool b => b ? 1.0 : 0.0,
            long l => (double)l,
            _ => key,
        };
    }
}
