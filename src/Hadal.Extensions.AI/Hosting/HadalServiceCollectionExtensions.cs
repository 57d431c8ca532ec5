using Hadal.Engine;
using Hadal.Extensions.AI;
using Hadal.Extensions.AI.Hosting;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

// Where people look for what can be added to services.
namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Hadal in a host.</summary>
public static class HadalServiceCollectionExtensions
{
    /// <summary>
    /// Registers a model within this process: an <see cref="IChatClient"/>, an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> of its hidden states, and the <see cref="ILanguageModelSource"/> that <c>MapHadalOpenAI</c> of Hadal.Server
    /// serves. The container owns the model: it is loaded in the background as the host starts, and disposed with it. May be called for several models, with keys.
    /// </summary>
    /// <param name="services">The host's.</param>
    /// <param name="configure">Says which model, and how.</param>
    /// <param name="serviceKey">Null for the chat client that is asked for without a key.</param>
    /// <returns>The chat client's pipeline, to add to: <c>.UseFunctionInvocation()</c>.</returns>
    /// <exception cref="ArgumentException">The options name no model, or two.</exception>
    public static ChatClientBuilder AddHadal(this IServiceCollection services, Action<HadalOptions> configure, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new HadalOptions();
        configure(options);
        string modelId = HadalOptions.Validate(options);

        // A key nobody else has: a host may have many models.
        object own = new();
        services.AddKeyedSingleton(own, (provider, _) => new HostedModel(options, modelId, provider.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance));
        services.AddSingleton<ILanguageModelSource>(Model);
        services.AddSingleton<IHostedService>(Model);
        EmbeddingGeneratorBuilder<string, Embedding<float>> embeddings = serviceKey is null ? services.AddEmbeddingGenerator(Generator) : services.AddKeyedEmbeddingGenerator(serviceKey, Generator);
        if (options.UseOpenTelemetry)
            embeddings.UseOpenTelemetry(sourceName: HadalTelemetry.SourceName);
        ChatClientBuilder builder = serviceKey is null ? services.AddChatClient(Client) : services.AddKeyedChatClient(serviceKey, Client);
        return options.UseOpenTelemetry ? builder.UseOpenTelemetry(sourceName: HadalTelemetry.SourceName) : builder;

        HostedModel Model(IServiceProvider provider) => provider.GetRequiredKeyedService<HostedModel>(own);

        IEmbeddingGenerator<string, Embedding<float>> Generator(IServiceProvider provider) => new HadalEmbeddingGenerator(Model(provider));

        IChatClient Client(IServiceProvider provider) => new HadalChatClient(Model(provider));
    }
}
