using Hadal.Engine.Constraints;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

/// <summary>How requests become constraints; what these do to an answer is the engine's, and the demo's tests show it end to end.</summary>
public sealed class StructuredOutputTests
{
    private const string User = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    [Theory]
    [InlineData("""{"type":"json_object"}""", "{\"a\":1}", "[1]")]
    [InlineData("""{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}}}""", "{\"a\":1}", "{}")]
    public async Task ResponseFormat_BeginsBehindTheThinking(string format, string valid, string invalid)
    {
        var engine = new ScriptedEngine();
        await using var server = await ServerFixture.StartAsync(engine);
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},\"response_format\":{format}}}")).Status);

        // The prompt ends with <think>.
        Func<ITokenConstraint> create = engine.LastRequest!.CreateConstraint!;
        Assert.True(Allows(create(), "anything</think>" + valid, mustEnd: true));
        Assert.True(Allows(create(), "</think>\n\n" + valid, mustEnd: true));
        Assert.False(Allows(create(), "</think>\n\n\n" + valid, mustEnd: true));
        Assert.False(Allows(create(), "x</think>" + invalid, mustEnd: true));
        Assert.False(Allows(create(), "x</think>" + valid + "x", mustEnd: false));
    }

    [Theory]
    [InlineData("\"guided_choice\":[\"yes\",\"no\"]", "yes", "maybe")]
    [InlineData("\"guided_regex\":\"[0-9]{2}\"", "42", "4")]
    [InlineData("\"guided_json\":{\"type\":\"integer\"}", "12", "x")]
    [InlineData("\"guided_json\":\"{\\\"type\\\":\\\"integer\\\"}\"", "12", "x")]
    [InlineData("\"guided_grammar\":\"root ::= \\\"a\\\"+ \\\"b\\\"\"", "aab", "b")]
    [InlineData("\"structured_outputs\":{\"choice\":[\"yes\"]}", "yes", "no")]
    [InlineData("\"structured_outputs\":{\"regex\":\"ab?\",\"json\":null}", "ab", "b")]
    [InlineData("\"structured_outputs\":{\"json_object\":true}", "{}", "1")]
    [InlineData("\"structured_outputs\":{\"grammar\":\"root ::= \\\"z\\\"\"}", "z", "y")]
    [InlineData("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"const\":5}}}", "5", "6")]
    public async Task Completions_AnyForm_BeginsAtOnce(string field, string valid, string invalid)
    {
        var engine = new ScriptedEngine();
        await using var server = await ServerFixture.StartAsync(engine);
        Assert.Equal(200, (await server.SendAsync("/v1/completions", $"{{\"model\":\"toy\",\"prompt\":\"x\",{field}}}")).Status);
        Assert.True(Allows(engine.LastRequest!.CreateConstraint!(), valid, mustEnd: true));
        Assert.False(Allows(engine.LastRequest!.CreateConstraint!(), invalid, mustEnd: true));
    }

    [Theory]
    [InlineData("response_format.json_schema.schema", "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"not\":{}}}}", "'not'")]
    [InlineData("response_format.json_schema.schema", "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\"}}", "missing")]
    [InlineData("response_format.json_schema.name", "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}", "missing")]
    [InlineData("response_format.json_schema.name", "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a b\",\"schema\":{}}}", "letters")]
    [InlineData("guided_regex", "\"guided_regex\":\"(a{1000}){1000}\"", "states")]
    [InlineData("guided_regex", "\"guided_regex\":\"(?=a)\"", "look-around")]
    [InlineData("guided_grammar", "\"guided_grammar\":\"root ::= root\"", "never comes")]
    [InlineData("guided_choice", "\"guided_choice\":[1]", "array of strings")]
    [InlineData("guided_json", "\"guided_json\":\"{\"", "no JSON")]
    [InlineData("structured_outputs.structural_tag", "\"structured_outputs\":{\"structural_tag\":\"x\"}", "not supported")]
    [InlineData("guided_regex", "\"guided_regex\":\"a\",\"response_format\":{\"type\":\"json_object\"}", "only one")]
    [InlineData("reasoning_effort", "\"reasoning_effort\":\"extreme\"", "is expected")]
    [InlineData("max_reasoning_tokens", "\"max_reasoning_tokens\":-1", "integer")]
    [InlineData("thinking_budget_tokens", "\"thinking_budget_tokens\":5,\"max_reasoning_tokens\":6", "differ")]
    public async Task Chat_WhatCannotBeEnforced_IsRefusedByField(string param, string field, string part)
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        var (status, body) = await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{field}}}");
        Assert.Equal(400, status);
        Assert.Equal(param, body.GetProperty("error").GetProperty("param").GetString());
        Assert.Contains(part, body.GetProperty("error").GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("\"max_reasoning_tokens\":3", 3)]
    [InlineData("\"thinking_budget_tokens\":0", 0)]
    [InlineData("\"reasoning_effort\":\"low\"", 1024)]
    [InlineData("\"reasoning_effort\":\"low\",\"max_reasoning_tokens\":2", 2)]
    [InlineData("\"reasoning_effort\":\"none\"", 0)]
    public async Task Budget_WhenItIsSpent_LeavesOnlyTheEndOfTheThinking(string field, int budget)
    {
        var engine = new ScriptedEngine();
        var template = new ToyTemplate();
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine, template));
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{field}}}")).Status);
        ITokenConstraint constraint = engine.LastRequest!.CreateConstraint!();
        for (int i = 0; i < budget; i++)
        {
            Assert.False(constraint.IsActive);
            constraint.Accept('x');
        }

        Assert.True(constraint.IsActive);
        Assert.Equal([ToyTokenizer.EndThink], Enumerable.Range(0, 262).Where(t => TokenMask.IsAllowed(constraint.Mask(), t)));
        Assert.Throws<InvalidOperationException>(() => constraint.Accept('x'));
        constraint.Accept(ToyTokenizer.EndThink);
        Assert.False(constraint.IsActive);
        constraint.Accept('x');
        if (budget > 0)
        {
            constraint.Rollback(3);
            Assert.False(constraint.IsActive);
            constraint.Accept('y');
            Assert.True(constraint.IsActive);
        }

        if (field.Contains("effort", StringComparison.Ordinal))
            Assert.Equal(budget > 0, template.LastExtra!["enable_thinking"]!.GetValue<bool>());
    }

    [Fact]
    public async Task Effort_HighOrUnsaid_IsNoConstraint()
    {
        var engine = new ScriptedEngine();
        await using var server = await ServerFixture.StartAsync(engine);
        foreach (string field in (string[])["\"reasoning_effort\":\"high\"", "\"reasoning_effort\":null"])
        {
            Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{field}}}")).Status);
            Assert.Null(engine.LastRequest!.CreateConstraint);
        }
    }

    [Fact]
    public async Task Undecided_AnswerMayThinkOrNot()
    {
        var engine = new ScriptedEngine();
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine, new ToyTemplate("<assistant>")));
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},\"guided_choice\":[\"yes\",\"no\"]}}")).Status);
        Func<ITokenConstraint> create = engine.LastRequest!.CreateConstraint!;
        Assert.True(Allows(create(), "yes", mustEnd: true));
        Assert.True(Allows(create(), "<think>hm</think>\nno", mustEnd: true));
        Assert.False(Allows(create(), "maybe", mustEnd: false));
        Assert.False(Allows(create(), "<think>hm</think>maybe", mustEnd: false));
        Assert.False(Allows(create(), "<think>hm", mustEnd: true));
    }

    /// <summary>Whether the constraint lets the text through token by token, and the end after it.</summary>
    private static bool Allows(ITokenConstraint constraint, string text, bool mustEnd)
    {
        foreach (int token in ServerFixture.Ids(text))
        {
            if (constraint.IsComplete || (constraint.IsActive && !TokenMask.IsAllowed(constraint.Mask(), token)))
                return false;
            constraint.Accept(token);
        }

        return !mustEnd || constraint.IsComplete || (constraint.IsActive && TokenMask.IsAllowed(constraint.Mask(), ToyTokenizer.Eos));
    }
}
