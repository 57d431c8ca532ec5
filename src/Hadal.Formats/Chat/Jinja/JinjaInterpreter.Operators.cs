using System.Numerics;
using System.Text;

namespace Hadal.Formats.Chat.Jinja;

internal sealed partial class JinjaInterpreter
{
    /// <summary>Python's name of the value's type, for messages.</summary>
    public static string TypeName(object? value) => value switch
    {
        null => "None",
        bool => "a bool",
        long or BigInteger => "an int",
        double => "a float",
        string => "a string",
        JinjaList list => list.IsTuple ? "a tuple" : "a list",
        JinjaDict => "a dict",
        JinjaNamespace => "a namespace",
        JinjaFunction => "a function",
        JinjaUndefined => "an undefined value",
        _ => "a loop",
    };

    public bool AreEqual(object? left, object? right)
    {
        ChargeItems(1);
        if (ReferenceEquals(left, right)) return true;
        switch (left, right)
        {
            case (null, _) or (_, null):
                return false;
            case (string a, string b):
                Charge(Math.Min(a.Length, b.Length) / 16);
                return a == b;
            case (JinjaList a, JinjaList b):
                CheckStack();
                if (a.IsTuple != b.IsTuple || a.Items.Count != b.Items.Count) return false;
                for (int i = 0; i < a.Items.Count; i++)
                {
                    if (!AreEqual(a.Items[i], b.Items[i])) return false;
                }

                return true;
            case (JinjaDict a, JinjaDict b):
                CheckStack();
                if (a.Items.Count != b.Items.Count) return false;
                foreach ((object key, object? value) in a.Items)
                {
                    if (!b.Items.TryGetValue(key, out object? other) || !AreEqual(value, other)) return false;
                }

                return true;
            case (JinjaUndefined, JinjaUndefined):
                return true;
            case (BigInteger a, BigInteger b):
                return a == b;
            default:
                return IsNumber(left) && IsNumber(right) && CompareNumbers(left, right) == 0;
        }
    }

    private static bool IsTrue(object? value) => value switch
    {
        null or JinjaUndefined => false,
        bool b => b,
        long l => l != 0,
        double d => d != 0,
        string s => s.Length > 0,
        JinjaList list => list.Items.Count > 0,
        JinjaDict dict => dict.Items.Count > 0,
        _ => true,
    };

    private static bool IsNumber(object? value) => value is long or double or bool;

    private static double ToDouble(object? value) => value switch
    {
        long l => l,
        bool b => b ? 1 : 0,
        _ => (double)value!,
    };

    private static long ToLong(object? value) => value is bool b ? (b ? 1 : 0) : (long)value!;

    private static int CompareNumbers(object left, object right) =>
        left is double || right is double ? ToDouble(left).CompareTo(ToDouble(right)) : ToLong(left).CompareTo(ToLong(right));

    private int Compare(object? left, object? right)
    {
        ChargeItems(1);
        if (IsNumber(left) && IsNumber(right)) return CompareNumbers(left!, right!);
        switch (left, right)
        {
            case (string a, string b):
                Charge(Math.Min(a.Length, b.Length) / 16);
                return CompareCodePoints(a, b);
            case (JinjaList a, JinjaList b) when a.IsTuple == b.IsTuple:
                CheckStack();
                for (int i = 0; i < a.Items.Count && i < b.Items.Count; i++)
                {
                    if (!AreEqual(a.Items[i], b.Items[i])) return Compare(a.Items[i], b.Items[i]);
                }

                return a.Items.Count.CompareTo(b.Items.Count);
            case (JinjaUndefined undefined, _):
                throw new JinjaException(undefined.Reason);
            case (_, JinjaUndefined undefined):
                throw new JinjaException(undefined.Reason);
            default:
                throw new JinjaException($"{TypeName(left)} and {TypeName(right)} cannot be ordered");
        }
    }

    // Python orders by code point; UTF-16 order differs beyond the basic plane.
    private static int CompareCodePoints(string a, string b)
    {
        int i = a.AsSpan().CommonPrefixLength(b);
        if (i == a.Length || i == b.Length) return a.Length.CompareTo(b.Length);
        bool surrogateA = char.IsSurrogate(a[i]), surrogateB = char.IsSurrogate(b[i]);
        return surrogateA != surrogateB ? surrogateA.CompareTo(surrogateB) : a[i].CompareTo(b[i]);
    }

    private bool Contains(object? container, object? item)
    {
        switch (container)
        {
            case string text:
                if (item is not string part) throw new JinjaException($"'in' a string needs a string, not {TypeName(item)}");
                Charge(text.Length / 16);
                return text.Contains(part, StringComparison.Ordinal);
            case JinjaDict dict:
                return item is not null && IsKey(item) && dict.Items.ContainsKey(item);
            default:
                foreach (object? candidate in Iterate(container))
                {
                    if (AreEqual(candidate, item)) return true;
                }

                return false;
        }
    }

    private object? ApplyOperator(string op, object? left, object? right)
    {
        if (op == "~")
        {
            string a = ToText(left), b = ToText(right);
            Charge(a.Length + b.Length);
            return a + b;
        }

        if (left is JinjaUndefined undefinedLeft) throw new JinjaException(undefinedLeft.Reason);
        if (op == "%" && left is string format) return FormatPercent(format, right);
        if (right is JinjaUndefined undefinedRight) throw new JinjaException(undefinedRight.Reason);
        switch (op)
        {
            case "+" when left is string a && right is string b:
                Charge(a.Length + b.Length);
                return a + b;
            case "+" when left is JinjaList a && right is JinjaList b && a.IsTuple == b.IsTuple:
                ChargeItems(a.Items.Count + b.Items.Count);
                return new JinjaList([.. a.Items, .. b.Items], a.IsTuple);
            case "*" when left is string or JinjaList && right is long or bool:
                return Repeat(left, ToLong(right));
            case "*" when right is string or JinjaList && left is long or bool:
                return Repeat(right, ToLong(left));
        }

        if (!IsNumber(left) || !IsNumber(right)) throw new JinjaException($"'{op}' cannot join {TypeName(left)} and {TypeName(right)}");
        try
        {
            return left is double || right is double || op == "/" ? (object)Arithmetic(op, ToDouble(left), ToDouble(right)) : Arithmetic(op, ToLong(left), ToLong(right));
        }
        catch (OverflowException e)
        {
            throw new JinjaException($"'{op}' gives a number that is too large", e);
        }
    }

    // The cast keeps the switch from taking double as the type of all its arms.
    private static object Arithmetic(string op, long a, long b) => op switch
    {
        "+" => (object)checked(a + b),
        "-" => checked(a - b),
        "*" => checked(a * b),
        "//" => b == 0 ? throw new JinjaException("division by zero") : FloorDivide(a, b),
        "%" => b == 0 ? throw new JinjaException("division by zero") : b == -1 ? 0L : a - (FloorDivide(a, b) * b),
        _ => b < 0 ? (object)Math.Pow(a, b) : Power(a, b),
    };

    private static long FloorDivide(long a, long b)
    {
        if (b == -1) return checked(-a);
        long quotient = a / b;
        return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    }

    private static long Power(long a, long exponent)
    {
        long result = 1;
        // Squaring: 2 ** 10**18 must end at once, in an overflow.
        for (long factor = a; exponent > 0; exponent >>= 1)
        {
            if ((exponent & 1) != 0) result = checked(result * factor);
            if (exponent > 1) factor = checked(factor * factor);
        }

        return result;
    }

    private static double Arithmetic(string op, double a, double b) => op switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => b == 0 ? throw new JinjaException("division by zero") : a / b,
        "//" => b == 0 ? throw new JinjaException("division by zero") : Math.Floor(a / b),
        "%" => b == 0 ? throw new JinjaException("division by zero") : a - (Math.Floor(a / b) * b),
        _ => Math.Pow(a, b),
    };

    private static object Negate(object? value, string op) => value switch
    {
        JinjaUndefined undefined => throw new JinjaException(undefined.Reason),
        long.MinValue when op == "-" => throw new JinjaException("'-' gives a number that is too large"),
        long l => (object)(op == "-" ? -l : l),
        bool b => op == "-" ? -(b ? 1L : 0L) : b ? 1L : 0L,
        double d => op == "-" ? -d : d,
        _ => throw new JinjaException($"{TypeName(value)} has no sign"),
    };

    private object Repeat(object value, long count)
    {
        count = Math.Max(0, count);
        if (value is string text)
        {
            Charge((long)Int128.Min((Int128)text.Length * count, long.MaxValue));
            return new StringBuilder().Insert(0, text, (int)count).ToString();
        }

        var list = (JinjaList)value;
        ChargeItems((long)Int128.Min((Int128)list.Items.Count * count, long.MaxValue));
        var items = new List<object?>();
        if (list.Items.Count > 0)
        {
            for (long i = 0; i < count; i++) items.AddRange(list.Items);
        }

        return new JinjaList(items, list.IsTuple);
    }

    private List<object?> Iterate(object? value)
    {
        switch (value)
        {
            case JinjaList list:
                ChargeItems(list.Items.Count);
                return list.Items;
            case JinjaDict dict:
                ChargeItems(dict.Items.Count);
                return [.. dict.Items.Keys];
            case string text:
                ChargeItems(text.Length);
                return [.. CodePoints(text)];
            case JinjaUndefined:
                return [];
            default:
                throw new JinjaException($"{TypeName(value)} cannot be iterated over");
        }
    }

    private static bool IsKey(object key) => key is string or long or bool or double;

    private static object ToKey(object? key) =>
        key is not null && IsKey(key) ? key : throw new JinjaException($"{TypeName(key)} cannot be a key of a dict");

    private static bool HasSurrogates(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0;

    // Python's strings are made of code points.
    private static List<string> CodePoints(string text)
    {
        var points = new List<string>(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            bool pair = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            points.Add(pair ? text.Substring(i++, 2) : text[i].ToString());
        }

        return points;
    }

    private static int LengthInCodePoints(string text)
    {
        int pairs = 0;
        for (int i = 0; i + 1 < text.Length; i++)
        {
            if (!char.IsHighSurrogate(text[i]) || !char.IsLowSurrogate(text[i + 1])) continue;
            pairs++;
            i++;
        }

        return text.Length - pairs;
    }
}
