using System.Text.Json;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

/// <summary>The table of docs/http-api.md, row by row: what of the OpenAI reference is taken, ignored, refused.</summary>
public sealed class ParameterTests
{
    [Theory]
    [InlineData("\"store\":true")]
    [InlineData("\"metadata\":{\"a\":\"b\"}")]
    [InlineData("\"service_tier\":\"flex\"")]
    [InlineData("\"user\":\"u\"")]
    [InlineData("\"safety_identifier\":\"u\"")]
    [InlineData("\"prompt_cache_key\":\"k\"")]
    [InlineData("\"prompt_cache_retention\":\"24h\"")]
    [InlineData("\"prediction\":{\"type\":\"content\",\"content\":\"x\"}")]
    [InlineData("\"prediction\":{\"type\":\"content\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}")]
    [InlineData("\"modalities\":[\"text\"]")]
    [InlineData("\"audio\":null")]
    [InlineData("\"web_search_options\":null")]
    [InlineData("\"verbosity\":\"medium\"")]
    [InlineData("\"verbosity\":null")]
    [InlineData("\"stream\":true,\"stream_options\":{\"include_obfuscation\":false}")]
    [InlineData("\"some_field_of_tomorrow\":{\"x\":1}")]
    [InlineData("\"priority\":0,\"timeout\":30")]
    public async Task Chat_FieldThatIsTakenOrIgnored_Is200(string field)
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("</think>ok") });
        using var response = await server.PostAsync("/v1/chat/completions", Body("\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]," + field));
        Assert.Equal(200, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("store", "\"store\":\"yes\"", "invalid_type")]
    [InlineData("metadata", "\"metadata\":7", "invalid_type")]
    [InlineData("metadata.a", "\"metadata\":{\"a\":1}", "invalid_type")]
    [InlineData("service_tier", "\"service_tier\":\"gold\"", "invalid_value")]
    [InlineData("user", "\"user\":7", "invalid_type")]
    [InlineData("safety_identifier", "\"safety_identifier\":[]", "invalid_type")]
    [InlineData("prompt_cache_key", "\"prompt_cache_key\":1", "invalid_type")]
    [InlineData("prompt_cache_retention", "\"prompt_cache_retention\":\"1y\"", "invalid_value")]
    [InlineData("prediction", "\"prediction\":\"x\"", "invalid_type")]
    [InlineData("prediction.type", "\"prediction\":{\"type\":\"other\"}", "invalid_value")]
    [InlineData("prediction.content", "\"prediction\":{\"type\":\"content\",\"content\":7}", "invalid_type")]
    [InlineData("modalities", "\"modalities\":[\"text\",\"audio\"]", "unsupported_parameter")]
    [InlineData("audio", "\"audio\":{\"voice\":\"x\"}", "unsupported_parameter")]
    [InlineData("web_search_options", "\"web_search_options\":{}", "unsupported_parameter")]
    [InlineData("verbosity", "\"verbosity\":\"low\"", "unsupported_parameter")]
    [InlineData("verbosity", "\"verbosity\":\"none\"", "invalid_value")]
    [InlineData("stream_options.include_obfuscation", "\"stream\":true,\"stream_options\":{\"include_obfuscation\":true}", "unsupported_parameter")]
    [InlineData("priority", "\"priority\":1001", "invalid_value")]
    [InlineData("priority", "\"priority\":\"high\"", "invalid_type")]
    [InlineData("timeout", "\"timeout\":0", "invalid_value")]
    public async Task Chat_FieldThatIsRefused_SaysWhichAndWhy(string param, string field, string code)
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        var (status, answer) = await server.SendAsync("/v1/chat/completions", Body("\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]," + field));
        AssertRefused(param, code, status, answer);
    }

    [Theory]
    [InlineData("user", "\"user\":7", "invalid_type")]
    [InlineData("suffix", "\"suffix\":\"x\"", "unsupported_parameter")]
    [InlineData("best_of", "\"n\":1,\"best_of\":3", "unsupported_parameter")]
    [InlineData("stream_options.include_obfuscation", "\"stream\":true,\"stream_options\":{\"include_obfuscation\":true}", "unsupported_parameter")]
    public async Task Completions_FieldThatIsRefused_SaysWhichAndWhy(string param, string field, string code)
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        var (status, answer) = await server.SendAsync("/v1/completions", Body("\"prompt\":\"x\"," + field));
        AssertRefused(param, code, status, answer);
    }

    [Fact]
    public async Task MaxTokens_OfTheServer_BoundsEveryAnswer()
    {
        var engine = new ScriptedEngine { Script = (_, _) => [65], Endless = true };
        await using var server = await ServerFixture.StartAsync(engine, options => options with { MaxTokens = 5 });
        var (status, answer) = await server.SendAsync("/v1/completions", Body("\"prompt\":\"x\",\"max_tokens\":6"));
        AssertRefused("max_tokens", "invalid_value", status, answer);
        (status, answer) = await server.SendAsync("/v1/chat/completions", Body("\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"));
        Assert.Equal((200, 5), (status, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32()));
    }

    [Fact]
    public async Task Usage_OfCachedPrompts_IsInBothSpellings()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("ok") });
        var (_, answer) = await server.SendAsync("/v1/completions", Body("\"prompt\":\"abcdef\",\"add_special_tokens\":false"));
        var usage = answer.GetProperty("usage");
        Assert.Equal(2, usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
        Assert.Equal(2, usage.GetProperty("prompt_cache_hit_tokens").GetInt32());
        Assert.Equal(4, usage.GetProperty("prompt_cache_miss_tokens").GetInt32());
    }

    [Fact]
    public async Task Tokenize_WithPromptAndText_IsRefused()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        var (status, answer) = await server.SendAsync("/tokenize", """{"prompt":"a","text":"a"}""");
        AssertRefused("text", "invalid_value", status, answer);
    }

    [Fact]
    public async Task Metrics_Posted_Is405()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        var (status, answer) = await server.SendAsync("/metrics", "{}");
        Assert.Equal((405, "method_not_allowed"), (status, answer.GetProperty("error").GetProperty("code").GetString()));
    }

    private static string Body(string fields) => "{\"model\":\"toy\"," + fields + "}";

    private static void AssertRefused(string param, string code, int status, JsonElement answer)
    {
        var error = answer.GetProperty("error");
        Assert.Equal((400, param, code), (status, error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
    }
}
