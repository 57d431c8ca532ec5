namespace Hadal.Engine.Constraints.Sources;

/// <summary>The formats of JSON Schema that are enforced, as regular expressions; each matches only valid texts, if not all of them.</summary>
internal static class StringFormats
{
    private const string Date = @"[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
    private const string Time = @"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    private const string Label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    private const string Byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

    private static readonly Dictionary<string, string> _patterns = new(StringComparer.Ordinal)
    {
        ["date"] = Date,
        ["time"] = Time,
        ["date-time"] = $"{Date}T{Time}",
        ["duration"] = @"P([0-9]{1,4}D|[0-9]{1,4}W|([0-9]{1,4}Y)([0-9]{1,2}M)?([0-9]{1,2}D)?|[0-9]{1,4}M([0-9]{1,2}D)?)|P([0-9]{1,4}D)?T([0-9]{1,4}H([0-9]{1,2}M([0-9]{1,2}S)?)?|[0-9]{1,4}M([0-9]{1,2}S)?|[0-9]{1,5}S)",
        ["uuid"] = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        ["email"] = $@"[A-Za-z0-9_+-]{{1,20}}(\.[A-Za-z0-9_+-]{{1,20}}){{0,2}}@({Label}\.){{1,3}}[A-Za-z]{{2,12}}",
        ["hostname"] = $@"{Label}(\.{Label}){{0,3}}",
        ["ipv4"] = $@"({Byte}\.){{3}}{Byte}",
        ["ipv6"] = "([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}",
        ["uri"] = @"[a-z][a-z0-9+.-]{1,15}://[A-Za-z0-9.-]{1,120}(:[0-9]{1,4})?(/[A-Za-z0-9._~!$&'()*+,;=:@-]{0,120}){0,8}(\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]{0,200})?",
    };

    public static string Names => string.Join(", ", _patterns.Keys);

    public static string? PatternOf(string format) => _patterns.GetValueOrDefault(format);
}
