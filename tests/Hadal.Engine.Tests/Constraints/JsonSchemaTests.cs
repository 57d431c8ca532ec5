using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Engine.Constraints;

namespace Hadal.Engine.Tests.Constraints;

public sealed class JsonSchemaTests
{
    private static readonly JsonDocumentOptions _deep = new() { MaxDepth = 1000 };

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","b"]}""",
        """{"a":"x","b":1} {"a": "x", "b": -12}""", """{"a":"x"} {"b":1,"a":"x"} {"a":"x","b":1.5} {"a":"x","b":1,"c":2} {} {"a":1,"b":1} {"a":"x","b":01}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}}}""",
        """{} {"a":null} {"b":null} {"a":null,"c":null} {"a":null,"b":null,"c":null}""", """{"c":null,"a":null} {"a":null,} {,"a":null} {"d":null}""")]
    [InlineData("""{"type":"object","properties":{"ab":{"type":"null"}},"additionalProperties":{"type":"boolean"}}""",
        """{"ab":null,"a":true} {"abc":false} {"x":true,"y":false} {"":true}""", """{"ab":true} {"a":null} {"x":true,"ab":null}""")]
    [InlineData("""{"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":2}""", """[true] [true,false] [ true ]""", """[] [true,true,true] [null] true""")]
    [InlineData("""{"type":"array","prefixItems":[{"type":"null"},{"type":"boolean"}],"items":{"const":7},"maxItems":3}""", """[null,true] [null,true,7]""", """[null] [null,true,7,7] [null,true,8] [true,null]""")]
    [InlineData("""{"type":"array","items":false}""", """[]""", """[1]""")]
    [InlineData("""{"enum":["a",1,null,{"k":[1]}]}""", """1 null {"k":[1]} "a" """, """2 "b" {"k":1}""")]
    [InlineData("""{"type":"string","enum":["a",1]}""", "\"a\"", "1")]
    [InlineData("""{"const":"tab\tquote\"é"}""", "\"tab\\tquote\\\"é\"", "\"tab\"")]
    [InlineData("""{"type":["string","null"],"maxLength":2}""", "\"\" \"ab\" \"é🍎\" null \"\\n\\\"\"", "\"abc\" 1")]
    [InlineData("""{"type":"string","minLength":2}""", "\"ab\" \"abc\"", "\"a\" \"\"")]
    [InlineData("""{"type":"string","pattern":"^a\"b\\\\c+$"}""", "\"a\\\"b\\\\cc\"", "\"ab\" \"xa\\\"b\\\\c\"")]
    [InlineData("""{"type":"string","pattern":"b"}""", "\"abc\" \"b\"", "\"ac\"")]
    [InlineData("""{"type":"string","format":"date"}""", "\"2024-02-28\" \"1999-12-31\"", "\"2024-13-01\" \"2024-02-30\" \"x\"")]
    [InlineData("""{"type":"string","format":"date-time"}""", "\"2024-02-28T23:59:59Z\" \"1999-12-31T00:00:00.5+01:00\"", "\"2024-02-28\" \"2024-02-28T24:00:00Z\"")]
    [InlineData("""{"type":"string","format":"uuid"}""", "\"123e4567-e89b-12d3-a456-426614174000\"", "\"123\"")]
    [InlineData("""{"type":"string","format":"email"}""", "\"a.b@example.org\"", "\"a.b\" \"@x.org\"")]
    [InlineData("""{"type":"integer","minimum":-3,"maximum":12}""", "-3 -1 0 5 10 12", "-4 13 -0 1.0 100")]
    [InlineData("""{"type":"integer","exclusiveMinimum":99,"exclusiveMaximum":1001}""", "100 999 1000", "99 1001 10")]
    [InlineData("""{"type":"integer","minimum":2.5}""", "3 10 99999", "2 0 -3")]
    [InlineData("""{"type":"number","minimum":0,"maximum":1}""", "0 1 0.5 0.999", "1.5 -0.1 2 1.01")]
    [InlineData("""{"type":"number","exclusiveMinimum":-2,"exclusiveMaximum":2}""", "-1.9 -1 0 1.99 0.5 -0.5", "-2 2 3 -2.5")]
    [InlineData("""{"type":"number"}""", "0 -1 1.5 1e5 2.25E-3", "01 .5 1. NaN +1")]
    [InlineData("""{"anyOf":[{"type":"integer"},{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"type":"object","properties":{"b":{"type":"null"}},"required":["b"]}]}""",
        """1 {"a":1} {"b":null}""", """{} {"a":null} "x" """)]
    [InlineData("""{"oneOf":[{"type":"object","properties":{"kind":{"const":"x"},"v":{"type":"integer"}},"required":["kind","v"]},{"type":"object","properties":{"kind":{"const":"y"}},"required":["kind"]},{"type":"null"}]}""",
        """{"kind":"x","v":1} {"kind":"y"} null""", """{"kind":"x"} {"kind":"z"}""")]
    [InlineData("""{"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"]},{"properties":{"a":{"maximum":3},"b":{"type":"null"}}}]}""",
        """{"a":1} {"a":3,"b":null}""", """{"a":4} {"a":0} {"b":null}""")]
    [InlineData("""{"type":"object","properties":{"x":{"$ref":"#/$defs/e","description":"d"}},"required":["x"],"$defs":{"e":{"enum":["p","q"]}}}""", """{"x":"p"}""", """{"x":"r"}""")]
    [InlineData("""{"$defs":{"t":{"type":"object","properties":{"v":{"type":"null"},"kids":{"type":"array","items":{"$ref":"#/$defs/t"}}},"required":["v","kids"]}},"$ref":"#/$defs/t"}""",
        """{"v":null,"kids":[]} {"v":null,"kids":[{"v":null,"kids":[]},{"v":null,"kids":[]}]}""", """{"v":null} {"v":null,"kids":[1]}""")]
    [InlineData("""{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["next"]}""", """{"next":{"next":null}}""", """{"next":1}""")]
    [InlineData("""{"type":"integer","nullable":true}""", "1 null", "\"x\"")]
    [InlineData("""{"properties":{"a":{"type":"null"}}}""", """{"a":null} {}""", "1")]
    [InlineData("""{"type":"object","properties":{}}""", "{}", """{"a":1}""")]
    [InlineData("""{"type":"object"}""", """{} {"a":{"b":[1,"x"]}}""", "[]")]
    [InlineData("true", """1 "x" {"a":[]} [[]]""", "x")]
    [InlineData("""{"type":"object","required":["z"],"properties":{"a":{"type":"null"}}}""", """{"a":null,"z":1} {"z":[]}""", """{} {"a":null}""")]
    public void Schema_TakesWhatSatisfiesItAndNothingElse(string schema, string valid, string invalid)
    {
        Grammar grammar = GrammarKit.Schema(schema);
        Assert.All(Texts(valid), text => Assert.True(GrammarKit.Accepts(grammar, text), text));
        Assert.All(Texts(invalid), text => Assert.False(GrammarKit.Accepts(grammar, text), text));
    }

    [Theory]
    [InlineData("""{"type":"object","patternProperties":{"a":{}}}""", "patternProperties")]
    [InlineData("""{"not":{"type":"null"}}""", "not")]
    [InlineData("""{"type":"array","uniqueItems":true}""", "uniqueItems")]
    [InlineData("""{"type":"array","contains":{"const":1}}""", "contains")]
    [InlineData("""{"type":"object","properties":{"a":{"if":{}}}}""", "#/properties/a")]
    [InlineData("""{"type":"object","minProperties":1}""", "minProperties")]
    [InlineData("""{"type":"integer","multipleOf":3}""", "multipleOf")]
    [InlineData("""{"type":"number","minimum":0.5}""", "whole bounds")]
    [InlineData("""{"type":"string","format":"iri"}""", "iri")]
    [InlineData("""{"type":"string","pattern":"(?=a)"}""", "look-around")]
    [InlineData("""{"type":"string","pattern":"a","minLength":1}""", "together")]
    [InlineData("""{"type":"text"}""", "text")]
    [InlineData("""{"oneOf":[{"type":"string"},{"minLength":1}]}""", "oneOf")]
    [InlineData("""{"$ref":"https://example.org/s"}""", "within the schema")]
    [InlineData("""{"$ref":"#/$defs/none"}""", "not there")]
    [InlineData("""{"$ref":"#"}""", "never comes to an end")]
    [InlineData("""{"anyOf":[{"$ref":"#"},{"type":"null"}]}""", "left recursion")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""", "never comes to an end")]
    [InlineData("""{"enum":[]}""", "never comes to an end")]
    [InlineData("false", "never comes to an end")]
    [InlineData("""{"type":"string","maxLength":-1}""", "maxLength")]
    [InlineData("""{"allOf":[{"type":"string"},{"type":"integer"}]}""", "never comes to an end")]
    [InlineData("""{"allOf":[{"type":"string","pattern":"a"},{"pattern":"b"}]}""", "pattern")]
    [InlineData("3", "neither an object nor a boolean")]
    [InlineData("""{"type":"integer","minimum":1e40}""", "minimum")]
    public void Refused_SaysWhatAndWhere(string schema, string part)
        => Assert.Contains(part, Assert.Throws<GrammarException>(() => GrammarKit.Schema(schema)).Message);

    [Fact]
    public void Hostile_IsRefusedSoon()
    {
        string deep = "{\"type\":\"null\"}";
        for (int i = 0; i < 200; i++)
            deep = "{\"type\":\"array\",\"items\":" + deep + "}";
        string all = string.Join(',', Enumerable.Range(0, 12).Select(i => "{\"anyOf\":[" + string.Join(',', Enumerable.Range(0, 8).Select(j => $"{{\"properties\":{{\"p{i}\":{{\"const\":{j}}}}}}}")) + "]}"));
        string[] schemas =
        [
            "{\"allOf\":[" + all + "]}",
            "{\"enum\":[" + string.Join(',', Enumerable.Range(0, 60_000).Select(i => $"\"value {i * 7919L % 1_000_003} of many\"")) + "]}",
            """{"type":"string","maxLength":2000000}""",
            """{"type":"array","items":{"type":"array","items":{"type":"null"},"minItems":300,"maxItems":300},"minItems":100000}""",
            "{\"type\":\"string\",\"pattern\":\"(a|b)*a(a|b){30}\"}",
            "{\"type\":\"object\",\"properties\":{" + string.Join(',', Enumerable.Range(0, 2000).Select(i => $"\"p{i}\":{{\"type\":\"null\"}}")) + "}}",
            """{"$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/b"}]},"b":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}""",
        ];
        foreach (string schema in schemas)
        {
            long before = Stopwatch.GetTimestamp();
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<GrammarException>(() => GrammarKit.Schema(schema));
            // Generous in time: about a second on an idle machine.
            Assert.True(Stopwatch.GetElapsedTime(before) < TimeSpan.FromSeconds(30), schema[..Math.Min(60, schema.Length)]);
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - allocated < 2L << 30, schema[..Math.Min(60, schema.Length)]);
        }

        JsonNode parsed = JsonNode.Parse(deep, documentOptions: _deep)!;
        Assert.Contains("nested deeper", Assert.Throws<GrammarException>(() => new GrammarCompiler(GrammarKit.Small).JsonSchema(parsed)).Message);
    }

    [Fact]
    public void LongStrings_ShareTheirMasks()
    {
        Grammar grammar = new GrammarCompiler(GrammarKit.Small).JsonSchema(JsonNode.Parse("""{"type":"string","maxLength":2000}"""));
        Assert.InRange(grammar.NumStates, 10_000, 40_000);
        // Far from the end all characters are alike; only as far before it as a token is long can it be told apart.
        Assert.InRange(grammar.Automaton.MaskClass.Distinct().Count(), 5, 20 * GrammarKit.Small.MaxTokenBytes);
    }

    [Fact]
    public void RandomSchemas_RandomWalks_ParseAndSatisfyTheSchema()
    {
        var random = new Random(11);
        int numEnded = 0;
        for (int round = 0; round < 250; round++)
        {
            JsonObject schema = RandomSchema(random, 3);
            if (random.Next(3) == 0)
                schema["$defs"] = new JsonObject { ["d"] = RandomSchema(random, 1) };
            string text = schema.ToJsonString();
            if (schema["$defs"] is not null)
                text = text.Replace("\"__ref\"", "\"$ref\"", StringComparison.Ordinal);
            else
                text = text.Replace("{\"__ref\":\"#/$defs/d\"}", "{}", StringComparison.Ordinal);
            Grammar grammar;
            try
            {
                grammar = GrammarKit.Schema(text);
            }
            catch (GrammarException e) when (text.Contains("$defs", StringComparison.Ordinal) && (e.Message.Contains("never comes", StringComparison.Ordinal) || e.Message.Contains("left recursion", StringComparison.Ordinal)))
            {
                // A definition that is nothing but itself.
                continue;
            }

            JsonNode root = JsonNode.Parse(text)!;
            for (int walk = 0; walk < 4; walk++)
            {
                (_, string answer, bool hasEnded) = GrammarKit.RandomWalk(grammar, random, 400);
                if (!hasEnded)
                    continue;
                numEnded++;
                JsonNode? value = JsonNode.Parse(answer, documentOptions: _deep);
                Assert.True(SchemaValidator.IsValid(root, value, root), $"{text} gave {answer}");
            }
        }

        Assert.True(numEnded > 400, $"{numEnded} answers");
    }

    private static JsonObject RandomSchema(Random random, int depth)
    {
        switch (random.Next(depth == 0 ? 9 : 15))
        {
            case 0: return new JsonObject { ["type"] = "string" };
            case 1: return new JsonObject { ["type"] = "string", ["minLength"] = random.Next(3), ["maxLength"] = random.Next(3, 9) };
            case 2: return new JsonObject { ["type"] = "string", ["pattern"] = (string[])["^a+b?$", "c", "^[0-9]{2,3}(-[a-f\"]+)?$", "^x|y$"] is var p ? p[random.Next(4)] : null };
            case 3: return new JsonObject { ["type"] = "string", ["format"] = (string[])["date", "date-time", "uuid", "ipv4", "ipv6", "email", "time", "hostname"] is var f ? f[random.Next(8)] : null };
            case 4:
                int low = random.Next(-2000, 2000);
                return new JsonObject { ["type"] = "integer", ["minimum"] = low, ["maximum"] = low + random.Next(3000) };
            case 5:
                int from = random.Next(-20, 20);
                return new JsonObject { ["type"] = "number", [random.Next(2) == 0 ? "minimum" : "exclusiveMinimum"] = from, [random.Next(2) == 0 ? "maximum" : "exclusiveMaximum"] = from + 1 + random.Next(30) };
            case 6: return new JsonObject { ["enum"] = new JsonArray("a", "ab", 3, null, true, new JsonObject { ["k"] = 1 }) };
            case 7: return new JsonObject { ["type"] = new JsonArray("boolean", "null", "integer") };
            case 8: return new JsonObject { ["__ref"] = "#/$defs/d" };
            case 9: return new JsonObject { ["type"] = "array", ["items"] = RandomSchema(random, depth - 1), ["minItems"] = random.Next(3), ["maxItems"] = random.Next(3, 6) };
            case 10: return new JsonObject { ["type"] = "array", ["prefixItems"] = new JsonArray(RandomSchema(random, depth - 1), RandomSchema(random, 0)), ["items"] = RandomSchema(random, 0), ["maxItems"] = 4 };
            case 11: return new JsonObject { ["anyOf"] = new JsonArray(RandomSchema(random, depth - 1), RandomSchema(random, depth - 1)) };
            case 12:
                return new JsonObject { ["allOf"] = new JsonArray(RandomObject(random, depth - 1, ["a", "b"]), RandomObject(random, depth - 1, ["c", "d"])) };
            default: return RandomObject(random, depth, ["a", "ab", "name", "na\"me", "é"]);
        }
    }

    private static JsonObject RandomObject(Random random, int depth, string[] names)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (string name in names.Where(_ => random.Next(3) > 0))
        {
            properties[name] = RandomSchema(random, Math.Max(0, depth - 1));
            if (random.Next(2) == 0)
                required.Add((JsonNode)name);
        }

        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required };
        if (names.Length > 2 && random.Next(3) == 0)
            schema["additionalProperties"] = random.Next(2) == 0 ? RandomSchema(random, 0) : JsonValue.Create(random.Next(2) == 0);
        return schema;
    }

    private static IEnumerable<string> Texts(string list)
    {
        // Apart by single blanks, but for those within the texts: as JSON readers see it, where it is JSON.
        var start = 0;
        int depth = 0;
        bool inString = false;
        for (int i = 0; i <= list.Length; i++)
        {
            if (i == list.Length || (list[i] == ' ' && depth == 0 && !inString))
            {
                if (i > start)
                    yield return list[start..i];
                start = i + 1;
                continue;
            }

            if (list[i] == '"' && (i == 0 || list[i - 1] != '\\' || (i > 1 && list[i - 2] == '\\')))
                inString = !inString;
            else if (!inString)
                depth += list[i] is '{' or '[' ? 1 : list[i] is '}' or ']' ? -1 : 0;
        }
    }
}
