using System.Text;
using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>The rules of JSON itself, with little freedom where freedom helps nobody: white space and digits are bounded, so that no model loses itself in them.</summary>
internal sealed class JsonText
{
    private const int MaxDigits = 17;
    private const int MaxIndent = 40;

    private static readonly CodePointSet _escaped = CodePointSet.Of((0, 0x1F), ('"', '"'), ('\\', '\\'));
    private static readonly CodePointSet _hex = CodePointSet.Of(('0', '9'), ('a', 'f'), ('A', 'F'));
    private static readonly CodePointSet _digit = CodePointSet.Of(('0', '9'));

    public JsonText(GrammarRules rules)
    {

        Space = rules.Add("white space", GrammarNode.Optional(GrammarNode.Any(
            GrammarNode.Text(" "),
            GrammarNode.Of(GrammarNode.Text("\n"), new GrammarNode.Repeat(GrammarNode.Text(" "), 0, MaxIndent)),
            GrammarNode.Of(GrammarNode.Text("\n"), new GrammarNode.Repeat(GrammarNode.Text("\t"), 1, MaxIndent / 4)))));
        Character = AnyCharacter();
        String = rules.Add("string", Quoted(new GrammarNode.Repeat(Character, 0, null)));
        Integer = rules.Add("integer", GrammarNode.Of(GrammarNode.Optional(GrammarNode.Text("-")), Natural()));
        Number = rules.Add("number", GrammarNode.Of(
            GrammarNode.Optional(GrammarNode.Text("-")),
            Natural(),
            GrammarNode.Optional(GrammarNode.Of(GrammarNode.Text("."), Digits(1, MaxDigits))),
            GrammarNode.Optional(GrammarNode.Of(
                new GrammarNode.Characters(CodePointSet.Of(('e', 'e'), ('E', 'E'))),
                GrammarNode.Optional(new GrammarNode.Characters(CodePointSet.Of(('+', '+'), ('-', '-')))),
                Digits(1, 2)))));
        Value = rules.Declare("value");
        Object = rules.Declare("object");
        Array = rules.Declare("array");
        GrammarNode member = GrammarNode.Of(String, Space, GrammarNode.Text(":"), Space, Value);
        rules.Define(Object, Enclosed("{", member, "}", 0, null));
        rules.Define(Array, Enclosed("[", Value, "]", 0, null));
        rules.Define(Value, GrammarNode.Any(Object, Array, String, Number, Boolean, Null));
    }

    public static GrammarNode Null { get; } = GrammarNode.Text("null");

    /// <summary>As <see cref="Character"/>, without the escapes by number.</summary>
    public static GrammarNode PlainCharacter { get; } = GrammarNode.Any(
        new GrammarNode.Characters(_escaped.Complement()),
        GrammarNode.Of(GrammarNode.Text("\\"), new GrammarNode.Characters(CodePointSet.Of("\"\\/bfnrt".Select(c => ((int)c, (int)c))))));

    public static GrammarNode Boolean { get; } = GrammarNode.Any(GrammarNode.Text("true"), GrammarNode.Text("false"));

    public GrammarNode.Rule Space { get; }

    /// <summary>One character within a string, however it is written.</summary>
    public GrammarNode Character { get; }

    public GrammarNode.Rule String { get; }

    public GrammarNode.Rule Integer { get; }

    public GrammarNode.Rule Number { get; }

    public GrammarNode.Rule Object { get; }

    public GrammarNode.Rule Array { get; }

    public GrammarNode.Rule Value { get; }

    public static GrammarNode Quoted(GrammarNode inner) => GrammarNode.Of(GrammarNode.Text("\""), inner, GrammarNode.Text("\""));

    /// <summary>One character of the set, escaped only where it must be.</summary>
    public static GrammarNode Encode(CodePointSet set)
    {
        var choices = new List<GrammarNode>();
        CodePointSet plain = set.Except(_escaped);
        if (!plain.IsEmpty)
            choices.Add(new GrammarNode.Characters(plain));
        foreach ((int first, int last) in set.Intersect(_escaped).Ranges)
        {
            for (int c = first; c <= last; c++)
                choices.Add(GrammarNode.Text(Escape((char)c)));
        }

        return GrammarNode.Any([.. choices]);
    }

    /// <summary>A string as JSON writes it, without its quotes, escaped only where it must be.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (char c in text)
            escaped.Append(_escaped.Contains(c) ? Escape(c) : c.ToString());
        return escaped.ToString();
    }

    public static GrammarNode Digits(int min, int max) => new GrammarNode.Repeat(new GrammarNode.Characters(_digit), min, max);

    /// <summary>Items between brackets, apart by commas.</summary>
    public GrammarNode Enclosed(string open, GrammarNode item, string close, int min, int? max)
    {
        GrammarNode none = GrammarNode.Of(GrammarNode.Text(open), Space, GrammarNode.Text(close));
        if (max == 0)
            return none;
        GrammarNode some = GrammarNode.Of(
            GrammarNode.Text(open),
            Space,
            item,
            Space,
            new GrammarNode.Repeat(GrammarNode.Of(GrammarNode.Text(","), Space, item, Space), Math.Max(min, 1) - 1, max - 1),
            GrammarNode.Text(close));
        return min > 0 ? some : GrammarNode.Any(none, some);
    }

    private static string Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\b' => "\\b",
        '\f' => "\\f",
        _ => $"\\u{(int)c:x4}",
    };

    private static GrammarNode Natural() => GrammarNode.Any(
        GrammarNode.Text("0"),
        GrammarNode.Of(new GrammarNode.Characters(CodePointSet.Of(('1', '9'))), Digits(0, MaxDigits - 1)));

    private static GrammarNode AnyCharacter()
    {
        static GrammarNode Chars(params (int, int)[] ranges) => new GrammarNode.Characters(CodePointSet.Of(ranges));
        GrammarNode hex = new GrammarNode.Characters(_hex);
        GrammarNode d = Chars(('d', 'd'), ('D', 'D'));
        GrammarNode twoHex = GrammarNode.Of(hex, hex);
        // Half a surrogate pair would be JSON and no text.
        return GrammarNode.Any(
            new GrammarNode.Characters(_escaped.Complement()),
            GrammarNode.Of(GrammarNode.Text("\\"), Chars(('"', '"'), ('\\', '\\'), ('/', '/'), ('b', 'b'), ('f', 'f'), ('n', 'n'), ('r', 'r'), ('t', 't'))),
            GrammarNode.Of(GrammarNode.Text("\\u"), Chars(('0', '9'), ('a', 'c'), ('A', 'C'), ('e', 'f'), ('E', 'F')), hex, twoHex),
            GrammarNode.Of(GrammarNode.Text("\\u"), d, Chars(('0', '7')), twoHex),
            GrammarNode.Of(GrammarNode.Text("\\u"), d, Chars(('8', '9'), ('a', 'b'), ('A', 'B')), twoHex, GrammarNode.Text("\\u"), d, Chars(('c', 'f'), ('C', 'F')), twoHex));
    }
}
