using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hadal.Extensions.AI.Http;

/// <summary>A server that speaks the OpenAI API: requests to it, and its errors as exceptions.</summary>
internal sealed class ApiConnection(Uri endpoint, string? apiKey, HttpClient? httpClient) : IDisposable
{
    // Without draining: who leaves a stream closes its connection, and the server stops computing the rest. .NET would read on for two seconds else.
    private readonly HttpClient _http = httpClient ?? new HttpClient(new SocketsHttpHandler { MaxResponseDrainSize = 0 }) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly string _base = endpoint.AbsoluteUri.TrimEnd('/');

    public async Task<HttpResponseMessage> PostAsync(string path, JsonObject body, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{_base}/{path}")
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        if (apiKey is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        HttpResponseMessage response = await _http.SendAsync(request, completion, cancellationToken);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
        {
            string text = await response.Content.ReadAsStringAsync(cancellationToken);
            JsonDocument? error = null;
            try
            {
                error = JsonDocument.Parse(text);
                ThrowIfError(error.RootElement, response.StatusCode);
            }
            catch (JsonException)
            {
                // Something before the server answered; its words are no JSON.
            }
            finally
            {
                error?.Dispose();
            }

            throw new HttpRequestException($"The server answered {(int)response.StatusCode}: {(text.Length <= 500 ? text : text[..500] + "…")}", inner: null, response.StatusCode);
        }
    }

    public static async Task<JsonDocument> ReadJsonAsync(HttpResponseMessage response, CancellationToken cancellationToken) =>
        Parse(await response.Content.ReadAsStringAsync(cancellationToken));

    public static JsonDocument Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException e)
        {
            throw new HttpRequestException(HttpRequestError.InvalidResponse, $"The server's answer is no JSON: {e.Message}", e);
        }
    }

    public static void ThrowIfError(JsonElement answer, HttpStatusCode status)
    {
        if (answer.ValueKind != JsonValueKind.Object || !answer.TryGetProperty("error", out JsonElement error) || error.ValueKind == JsonValueKind.Null)
            return;
        string message = Text(error, "message") ?? error.GetRawText();
        string? param = Text(error, "param"), code = Text(error, "code");
        string where = string.Join(", ", new[] { param is null ? null : $"param {param}", code }.Where(part => part is not null));
        throw new HttpRequestException(where.Length == 0 ? message : $"{message} ({where})", inner: null, status);

        static string? Text(JsonElement error, string name) =>
            error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    public void Dispose()
    {
        if (httpClient is null)
            _http.Dispose();
    }
}
