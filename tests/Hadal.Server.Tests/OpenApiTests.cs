using System.Text.Json;
using System.Text.RegularExpressions;
using Hadal.Server.Tests.Fakes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Hadal.Server.Tests;

/// <summary>The description says neither more nor less than the code does.</summary>
public sealed partial class OpenApiTests
{
    [Fact]
    public async Task Paths_AreTheMappedRoutes()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        var document = await DocumentAsync(server);
        string[] described = [.. document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}")).Order()];
        string[] mapped = [.. server.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m => $"{m} /{e.RoutePattern.RawText!.TrimStart('/').Replace("**", "", StringComparison.Ordinal)}")).Order()];
        Assert.Equal(mapped, described);
    }

    [Theory]
    [InlineData("/v1/chat/completions", "ChatRequest", "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]")]
    [InlineData("/v1/completions", "CompletionRequest", "\"prompt\":\"hi\"")]
    [InlineData("/detokenize", "DetokenizeRequest", "\"tokens\":[65]")]
    public async Task EveryDescribedField_IsRead(string path, string schema, string needed)
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("ok") });
        var properties = (await DocumentAsync(server)).GetProperty("components").GetProperty("schemas").GetProperty(schema).GetProperty("properties");
        foreach (var property in properties.EnumerateObject())
        {
            // A value of no type that the field could have.
            bool isObject = property.Value.TryGetProperty("type", out var type) && type.GetString() == "object" || property.Name == "tool_choice";
            string bad = isObject ? "7" : "{\"bad\":[]}";
            string others = needed.StartsWith($"\"{property.Name}\"", StringComparison.Ordinal) ? "" : needed + ",";
            string model = property.Name == "model" ? "" : "\"model\":\"toy\",";
            string stream = property.Name == "stream_options" ? "\"stream\":true," : "";
            var (status, answer) = await server.SendAsync(path, "{" + model + others + stream + $"\"{property.Name}\":{bad}" + "}");
            Assert.True(status == 400, $"{property.Name}: {status}");
            string? param = answer.GetProperty("error").GetProperty("param").GetString();
            Assert.True(param is not null && param.StartsWith(property.Name, StringComparison.Ordinal), $"{property.Name}: param is {param}");
        }
    }

    [Fact]
    public async Task EveryFieldThatIsRead_IsDescribed()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        string schemas = (await DocumentAsync(server)).GetProperty("components").GetProperty("schemas").ToString();
        var names = new HashSet<string>();
        foreach (string folder in (string[])["Requests", "Endpoints"])
        {
            foreach (string file in Directory.EnumerateFiles(Path.Combine(RepositoryRoot(), "src", "Hadal.Server", folder), "*.cs"))
                names.UnionWith(Read().Matches(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Select(m => m.Groups[1].Value));
        }

        Assert.True(names.Count > 50, $"{names.Count} fields found");
        Assert.All(names, name => Assert.Contains($"\"{name}\":", schemas.Replace("\": ", "\":", StringComparison.Ordinal), StringComparison.Ordinal));
    }

    private static async Task<JsonElement> DocumentAsync(ServerFixture server) => JsonDocument.Parse(await server.GetTextAsync("/openapi.json")).RootElement;

    private static string RepositoryRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Hadal.slnx")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("no Hadal.slnx above the tests");
    }

    [GeneratedRegex("(?:[Bb]ody|[Ff]ields|\\))(?:\\.|, )(?:TryGet\\(|String\\(|RequiredString\\(|Bool\\(|Int\\(|Long\\(|Float\\(|Strings\\(|TokenIds\\()?\"([a-z_]+)\"")]
    private static partial Regex Read();
}
