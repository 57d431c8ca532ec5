using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Endpoints;

/// <summary>The API's description, kept by hand beside the code (openapi.json); tests compare it with the routes and the fields that are read.</summary>
internal static class OpenApiEndpoint
{
    private static readonly byte[] s_document = Read();

    public static async Task InvokeAsync(HttpContext context)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = s_document.Length;
        await context.Response.Body.WriteAsync(s_document, context.RequestAborted);
    }

    private static byte[] Read()
    {
        using Stream stream = typeof(OpenApiEndpoint).Assembly.GetManifestResourceStream("openapi.json")!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
