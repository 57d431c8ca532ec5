using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Hadal.Server.InProcess;

/// <summary>What stands in Kestrel's place: requests are method calls.</summary>
internal sealed class InProcessServer : IServer
{
    private Func<IFeatureCollection, Task>? _process;

    public IFeatureCollection Features { get; } = new FeatureCollection();

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull
    {
        _process = async features =>
        {
            TContext context = application.CreateContext(features);
            Exception? failure = null;
            try
            {
                await application.ProcessRequestAsync(context);
            }
            catch (Exception exception)
            {
                failure = exception;
                throw;
            }
            finally
            {
                application.DisposeContext(context, failure);
            }
        };
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _process = null;
        return Task.CompletedTask;
    }

    public async Task<InProcessAnswer> SendAsync(string method, string path, ReadOnlyMemory<byte> json, CancellationToken cancellationToken)
    {
        Func<IFeatureCollection, Task> process = _process ?? throw new InvalidOperationException("the application has not been started, or has been stopped");
        ArraySegment<byte> body = MemoryMarshal.TryGetArray(json, out ArraySegment<byte> segment) ? segment : json.ToArray();
        using var request = new MemoryStream(body.Array!, body.Offset, body.Count, writable: false);
        using var answer = new MemoryStream();
        var headers = new HeaderDictionary { ["Content-Type"] = "application/json", ["Content-Length"] = $"{body.Count}", ["Host"] = "in-process" };
        var response = new HttpResponseFeature { Body = answer };
        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(new HttpRequestFeature { Method = method, Path = path, Protocol = "HTTP/1.1", Scheme = "http", Headers = headers, Body = request });
        features.Set<IHttpResponseFeature>(response);
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(answer));
        using var lifetime = new Lifetime(cancellationToken);
        features.Set<IHttpRequestLifetimeFeature>(lifetime);
        await process(features);
        cancellationToken.ThrowIfCancellationRequested();
        if (lifetime.IsAborted)
            throw new HttpRequestException("The application broke the answer off.");
        await features.GetRequiredFeature<IHttpResponseBodyFeature>().CompleteAsync();
        return new InProcessAnswer(response.StatusCode, response.Headers["X-Request-Id"].ToString(), answer.ToArray());
    }

    public void Dispose()
    {
    }

    private sealed class Lifetime : IHttpRequestLifetimeFeature, IDisposable
    {
        private readonly CancellationTokenSource _source;

        public Lifetime(CancellationToken cancellationToken)
        {
            _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            RequestAborted = _source.Token;
        }

        public bool IsAborted { get; private set; }

        public CancellationToken RequestAborted { get; set; }

        public void Abort()
        {
            IsAborted = true;
            _source.Cancel();
        }

        public void Dispose() => _source.Dispose();
    }
}
