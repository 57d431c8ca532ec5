using System.Reflection;
using Hadal.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Endpoints;

internal static class VersionEndpoint
{
    private static readonly string s_version =
        typeof(VersionEndpoint).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static async Task InvokeAsync(HttpContext context)
    {
        await using var body = JsonResponse.Begin(context);
        body.Json.WriteStartObject();
        body.Json.WriteString("version"u8, s_version);
        body.Json.WriteEndObject();
        await body.CompleteAsync();
    }
}
