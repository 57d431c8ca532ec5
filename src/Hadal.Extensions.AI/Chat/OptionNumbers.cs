using System.Globalization;
using System.Text.Json;

namespace Hadal.Extensions.AI.Chat;

/// <summary>Reads what <c>AdditionalProperties</c> hold: callers write numbers of any type, and configuration gives JSON.</summary>
internal static class OptionNumbers
{
    public static float Single(string name, object? value) => value switch
    {
        JsonElement { ValueKind: JsonValueKind.Number } json => json.GetSingle(),
        float or double or decimal or int or long or short or byte or uint or ulong => Convert.ToSingle(value, CultureInfo.InvariantCulture),
        _ => throw Wrong(name, value, "a number"),
    };

    public static int Int32(string name, object? value) => value switch
    {
        JsonElement { ValueKind: JsonValueKind.Number } json when json.TryGetInt32(out int number) => number,
        int or short or byte => Convert.ToInt32(value, CultureInfo.InvariantCulture),
        long number when number is >= int.MinValue and <= int.MaxValue => (int)number,
        _ => throw Wrong(name, value, "a whole number"),
    };

    public static bool Boolean(string name, object? value) => value switch
    {
        bool flag => flag,
        JsonElement { ValueKind: JsonValueKind.True } => true,
        JsonElement { ValueKind: JsonValueKind.False } => false,
        _ => throw Wrong(name, value, "true or false"),
    };

    public static int[] Int32s(string name, object? value) => value switch
    {
        IEnumerable<int> numbers => [.. numbers],
        JsonElement { ValueKind: JsonValueKind.Array } json => [.. json.EnumerateArray().Select(item => Int32(name, item))],
        _ => throw Wrong(name, value, "whole numbers"),
    };

    public static ArgumentException Wrong(string name, object? value, string expected) =>
        new($"ChatOptions.AdditionalProperties[\"{name}\"] is {(value is null ? "null" : $"of type {value.GetType().Name}")}; {expected} expected.", nameof(value));
}
