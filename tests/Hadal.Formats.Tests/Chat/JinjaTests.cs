using System.Diagnostics;
using System.Text.Json.Nodes;
using Hadal.Formats.Chat;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Chat;

/// <summary>Expected values are Jinja2's (3.1, in the environment transformers sets up).</summary>
public sealed class JinjaTests
{
    private const string Messages = """[{"role":"system","content":" be brief "},{"role":"user","content":"Hi é😀"},{"role":"assistant","content":"yes"}]""";

    [Theory]
    [InlineData("1 + 2 * 3 ** 2", "19")]
    [InlineData("2 ** 3 ** 2", "64")]
    [InlineData("7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 % -3, 4 / 2", "(3, -4, 1, 2, -2, 2.0)")]
    [InlineData("1 ~ 2 + 3", "ERR")]
    [InlineData("'a' + 'b' | upper", "aB")]
    [InlineData("-1 | abs", "1")]
    [InlineData("1e16, 1e15, 1.0, 1e-5, 0.0001, 0.1 + 0.2, 1.5e300", "(1e+16, 1000000000000000.0, 1.0, 1e-05, 0.0001, 0.30000000000000004, 1.5e+300)")]
    [InlineData("1 < 2 < 3, 1 < 3 < 2, true == 1, '1' == 1", "(True, False, True, False)")]
    [InlineData("[1,2,3][::-1], [1,2,3][1:], 'hello'[1:3], 'hello'[::-2], [1,2,3][-10:2]", "([3, 2, 1], [2, 3], 'el', 'olh', [1, 2])")]
    [InlineData("'a😀b'[1], 'a😀b'[::-1], 'a😀b'|length", "('😀', 'b😀a', 3)")]
    [InlineData("{'a': 1, 'b': [1, 'x\"y', \"it's\"], 'c': none}", "{'a': 1, 'b': [1, 'x\"y', \"it's\"], 'c': None}")]
    [InlineData("not true, not nothing, '' or 'b', 'a' and 'b', none or 0", "(False, True, 'b', 'b', 0)")]
    [InlineData("not nothing is defined", "True")]
    [InlineData("'x' if false", "")]
    [InlineData("nothing", "")]
    [InlineData("nothing ~ 'x'", "x")]
    [InlineData("nothing.foo", "ERR")]
    [InlineData("nothing + 'x'", "ERR")]
    [InlineData("messages[0].nothing, none.foo, messages[9]", "(Undefined, Undefined, Undefined)")]
    [InlineData("messages[9].foo", "ERR")]
    [InlineData("nothing|default('d'), ''|default('d'), ''|default('d', true)", "('d', '', 'd')")]
    [InlineData("{} is mapping, [] is sequence, {} is sequence, 'a' is iterable, true is number, 1 is boolean", "(True, True, True, True, True, False)")]
    [InlineData("9 is divisibleby 3, 1 is not none, 2 is in [1,2], 'a' is eq 'a'", "(True, True, True, True)")]
    [InlineData("'a,b,c'.split(',', 1), 'a b  c '.split(none, 1), ' a b '.rsplit(none, 1)", "(['a', 'b,c'], ['a', 'b  c '], [' a', 'b'])")]
    [InlineData("'<think>x</think>y'.split('</think>')[-1]", "y")]
    [InlineData("' x '.strip(), 'xxaxx'.lstrip('x'), 'xxaxx'.rstrip('x')", "('x', 'axx', 'xxa')")]
    [InlineData("'abc'.startswith('ab'), 'abc'.endswith(('x','c')), 'abc'.find('z'), 'aaa'.replace('a','b',2)", "(True, True, -1, 'bba')")]
    [InlineData("\"they're\".title(), \"o'neil-x\"|title", "(\"They'Re\", \"O'neil-X\")")]
    [InlineData("{'a':1}.get('b', 5), {'a':1}.items()|list", "(5, [('a', 1)])")]
    [InlineData("{'items':1}['items'], {'items':1}.items is callable", "(1, True)")]
    [InlineData("[{'a':2,'n':'y'},{'a':1}]|selectattr('n','defined')|map(attribute='a')|list", "[2]")]
    [InlineData("['b','A','c']|sort, [3,1]|sort(reverse=true), {'b':1,'a':2}|dictsort", "(['A', 'b', 'c'], [3, 1], [('a', 2), ('b', 1)])")]
    [InlineData("[1,none,true]|join(','), ['a','a','B','b']|unique|list", "('1,None,True', ['a', 'B'])")]
    [InlineData("1.5|round, 2.5|round, 3|round, '3.7'|int, 'x'|int(5)", "(2.0, 2.0, 3, 3, 5)")]
    [InlineData("'a\\nb\\n\\nc'|indent(2)", "a\n  b\n\n  c")]
    [InlineData("{'a':[1,2.0,{'b':none}],'e':'é\"\\n</x>','f':true}|tojson", """{"a": [1, 2.0, {"b": null}], "e": "é\"\n</x>", "f": true}""")]
    [InlineData("{'a':[1],'c':{},'d':[]}|tojson(indent=2)", "{\n  \"a\": [\n    1\n  ],\n  \"c\": {},\n  \"d\": []\n}")]
    [InlineData("nothing|tojson", "ERR")]
    [InlineData("range(5,0,-2)|list, range(3)|list", "([5, 3, 1], [0, 1, 2])")]
    [InlineData("'%s-%05.1f|%-3s|%d%%' % ('a', 3.14159, 'b', 7)", "a-003.1|b  |7%")]
    [InlineData("[1,2].append(3)", "ERR")]
    [InlineData("1 + 'a'", "ERR")]
    [InlineData("1 // 0", "ERR")]
    [InlineData("'x'|nofilter", "ERR")]
    [InlineData("'x' is notest", "ERR")]
    [InlineData("''.__class__.__mro__", "ERR")]
    [InlineData("9223372036854775807 + 1", "ERR")]
    public void Render_Expression_GivesJinjasValue(string expression, string expected)
    {
        string actual;
        try
        {
            actual = Render("{{ " + expression + " }}");
        }
        catch (ChatTemplateException)
        {
            actual = "ERR";
        }

        Assert.Equal(expected, actual);
    }

    [Theory]
    [InlineData("{% for x in [1,2,3] %}{{ loop.index }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}", "12True2;21False13;30False2;")]
    [InlineData("{% for x in [] %}a{% else %}empty{% endfor %}", "empty")]
    [InlineData("{% for x in [1,2,3,4] if x is even %}{{ loop.index }}:{{ x }} {% endfor %}", "1:2 2:4 ")]
    [InlineData("{% for x in [1,2,3,4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}", "13")]
    [InlineData("{% set x = 1 %}{% for i in [1,2] %}{% set x = x + i %}{{ x }};{% endfor %}{{ x }}", "2;3;1")]
    [InlineData("{% set ns = namespace(x=1) %}{% for i in [1,2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "4")]
    [InlineData("{% set x | upper %}hello{% endset %}[{{ x }}]", "[HELLO]")]
    [InlineData("{% macro f(a, b=2) %}{{ a }}-{{ b }}{{ varargs }}{% endmacro %}{{ f(1) }} {{ f(1, 3, 4) }} {{ f(b=5, a=3) }}", "1-2() 1-3(4,) 3-5()")]
    [InlineData("{% macro f(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) f(3) %}body {{ y }}{% endcall %}", "<body 3>")]
    [InlineData("{% generation %}x{{ 1 }}{% endgeneration %}", "x1")]
    [InlineData("a {%- raw -%} b {{ x }} {%- endraw -%} c", "ab {{ x }}c")]
    [InlineData("x {# multi\nline #} y\n{# z #}\nw", "x  y\nw")]
    [InlineData("  {% if true %}\n  a\n  {% endif %}\n  b\n", "  a\n  b")]
    [InlineData("  {%+ if true %}\n  a\n  {%- endif %}\n  b\n", "    a  b")]
    [InlineData("  {{ 1 }}\n  {{- 2 -}}\n  {{ 3 }}\n", "  123")]
    [InlineData("{% if true +%}\n a{% endif +%}\n b", "\n a\n b")]
    [InlineData("a\r\nb\rc\n\n", "a\nb\nc\n")]
    [InlineData("{{ {'a':{'b':{}}}['a'] }}{{ '}}' }}", "{'b': {}}}}")]
    [InlineData("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123")]
    [InlineData("{% for m in messages[::-1] %}{{ m.role[0] }}{% endfor %}{{ tools is none }}{{ add_generation_prompt }}", "ausTrueTrue")]
    [InlineData("{{ bos_token + messages[0]['content'] | trim }}", "<s>be brief")]
    public void Render_Statements_GivesJinjasText(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("a\n{% foo %}", 2, "foo")]
    [InlineData("a\n\n{{ 1 + }}", 3, "expected")]
    [InlineData("{% if true %}\n", 1, "endif")]
    [InlineData("{{ 'abc }}", 1, "not closed")]
    [InlineData("{# x", 1, "not closed")]
    [InlineData("{% include 'x' %}", 1, "include")]
    public void Constructor_BrokenTemplate_SaysWhere(string template, int line, string what)
    {
        var e = Assert.Throws<ChatTemplateException>(() => new ChatTemplate(template));
        Assert.Contains($"line {line}:", e.Message, StringComparison.Ordinal);
        Assert.Contains(what, e.Message, StringComparison.Ordinal);
        Assert.False(e.IsRefusal);
    }

    [Fact]
    public void Render_RaiseException_SurfacesTheMessage()
    {
        var e = Assert.Throws<ChatTemplateException>(() => Render("{{ raise_exception('roles must alternate') }}"));
        Assert.Equal("roles must alternate", e.Message);
        Assert.True(e.IsRefusal);
    }

    [Fact]
    public void Render_ErrorAtRunTime_NamesTheLine()
    {
        var e = Assert.Throws<ChatTemplateException>(() => Render("a\n{% set x = 1 %}\n{{ x.y.z }}"));
        Assert.Contains("line 3:", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}")]
    [InlineData("{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")]
    [InlineData("{{ 'a' * 9999999999 }}")]
    [InlineData("{{ [1] * 9999999999 }}")]
    [InlineData("{{ 'a'.ljust(9999999999) }}")]
    [InlineData("{{ range(1000000000)|list }}")]
    [InlineData("{{ 2 ** 1000000000000 }}")]
    public void Render_GreedyTemplate_EndsInAnError(string template)
    {
        var watch = Stopwatch.StartNew();
        Assert.Throws<ChatTemplateException>(() => Render(template));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"took {watch.Elapsed}");
    }

    [Theory]
    [InlineData("(")]
    [InlineData("[")]
    [InlineData("not ")]
    [InlineData("-")]
    [InlineData("{'a':")]
    public void Constructor_DeepNesting_IsRefused(string open) =>
        Assert.Throws<ChatTemplateException>(() => new ChatTemplate("{{ " + string.Concat(Enumerable.Repeat(open, 200_000)) + "1 }}"));

    [Fact]
    public void Render_LongChainOfOperators_DoesNotOverflowTheStack()
    {
        // A left-deep tree: either it renders or it is refused, but the process lives.
        string template = "{{ " + string.Join(" + ", Enumerable.Repeat("1", 100_000)) + " }}";
        try
        {
            Assert.Equal("100000", Render(template));
        }
        catch (HadalException e)
        {
            Assert.Contains("nested too deeply", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Render_StrftimeNow_UsesTheGivenClock()
    {
        var template = new ChatTemplate("{{ strftime_now('%d %b %Y|%-d/%-m/%y|%A %B|%H:%M:%S|%j|%p%%') }}", time: new FixedTime());
        Assert.Equal("05 Mar 2024|5/3/24|Tuesday March|14:07:09|065|PM%", template.Render([], addGenerationPrompt: false));
    }

    [Fact]
    public void Render_ExtraVariables_AreSeen() =>
        Assert.Equal("False 1.0 123456789012345678901234567890", new ChatTemplate("{{ enable_thinking }} {{ f }} {{ big }}").Render(
            [], addGenerationPrompt: false, extra: (JsonObject)JsonNode.Parse("""{"enable_thinking": false, "f": 1.0, "big": 123456789012345678901234567890}""")!));

    private static string Render(string template) =>
        new ChatTemplate(template, new Dictionary<string, string> { ["bos_token"] = "<s>" }).Render((JsonArray)JsonNode.Parse(Messages)!, addGenerationPrompt: true);

    private sealed class FixedTime : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2024, 3, 5, 14, 7, 9, TimeSpan.Zero);
    }
}
