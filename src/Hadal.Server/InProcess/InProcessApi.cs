using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;

namespace Hadal.Server.InProcess;

/// <summary>
/// The API without a socket: requests run through the same middleware, readers and writers as over HTTP, and come back as bytes. Thread-safe; as many requests
/// may be under way as callers like.
/// </summary>
public sealed class InProcessApi : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly InProcessServer _server;

    private InProcessApi(WebApplication app)
    {
        _app = app;
        _server = (InProcessServer)app.Services.GetRequiredService<IServer>();
    }

    /// <summary>Starts an application that <see cref="HadalServer.StartInProcessAsync"/> built; disposes it with this.</summary>
    internal static async Task<InProcessApi> StartAsync(WebApplication app, CancellationToken cancellationToken)
    {
        try
        {
            await app.StartAsync(cancellationToken);
            return new InProcessApi(app);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Posts a JSON body and waits for the whole answer.</summary>
    public Task<InProcessAnswer> PostAsync(string path, ReadOnlyMemory<byte> json, CancellationToken cancellationToken = default)
        => _server.SendAsync("POST", path, json, cancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
