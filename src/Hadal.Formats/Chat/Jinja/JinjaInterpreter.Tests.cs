namespace Hadal.Formats.Chat.Jinja;

internal sealed partial class JinjaInterpreter
{
    private bool ApplyTest(string name, object? value, JinjaCall call)
    {
        switch (name)
        {
            case "defined":
                return value is not JinjaUndefined;
            case "undefined":
                return value is JinjaUndefined;
            case "none":
                return value is null;
            case "boolean":
                return value is bool;
            case "true":
                return value is true;
            case "false":
                return value is false;
            case "integer":
                return value is long or System.Numerics.BigInteger;
            case "float":
                return value is double;
            case "number":
                return value is long or double or bool or System.Numerics.BigInteger;
            case "string":
                return value is string;
            case "mapping":
                return value is JinjaDict;
            case "sequence":
                // Anything with a length and items, as Jinja has it: a dict and an undefined value too.
                return value is string or JinjaList or JinjaDict or JinjaUndefined;
            case "iterable":
                return value is string or JinjaList or JinjaDict or JinjaUndefined or JinjaLoop;
            case "callable":
                return value is JinjaFunction;
            case "even":
                return IntegerOf(value) % 2 == 0;
            case "odd":
                return IntegerOf(value) % 2 != 0;
            case "divisibleby":
                long divisor = IntegerOf(call.Required(0, "num"));
                return divisor == 0 ? throw new JinjaException("division by zero") : divisor is 1 or -1 || IntegerOf(value) % divisor == 0;
            case "lower":
                return IsCased(ToText(value), char.IsLower, char.IsUpper);
            case "upper":
                return IsCased(ToText(value), char.IsUpper, char.IsLower);
            case "sameas":
                object? other = call.Required(0, "other");
                return value is null or bool ? Equals(value, other) : ReferenceEquals(value, other) || (value is long or string && Equals(value, other));
            case "eq" or "equalto" or "==":
                return AreEqual(value, call.Required(0, "other"));
            case "ne" or "!=":
                return !AreEqual(value, call.Required(0, "other"));
            case "gt" or "greaterthan" or ">":
                return Compare(value, call.Required(0, "other")) > 0;
            case "ge" or ">=":
                return Compare(value, call.Required(0, "other")) >= 0;
            case "lt" or "lessthan" or "<":
                return Compare(value, call.Required(0, "other")) < 0;
            case "le" or "<=":
                return Compare(value, call.Required(0, "other")) <= 0;
            case "in":
                return Contains(call.Required(0, "seq"), value);
            case "escaped":
                return false;
            default:
                throw new JinjaException($"the test '{name}' is not known");
        }
    }

    private static long IntegerOf(object? value) => value switch
    {
        long l => l,
        bool b => b ? 1 : 0,
        JinjaUndefined undefined => throw new JinjaException(undefined.Reason),
        _ => throw new JinjaException($"an integer was expected, not {TypeName(value)}"),
    };

    private static bool IsCased(string text, Predicate<char> wanted, Predicate<char> unwanted)
    {
        bool any = false;
        foreach (char c in text)
        {
            if (unwanted(c)) return false;
            any |= wanted(c);
        }

        return any;
    }
}
