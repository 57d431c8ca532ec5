using Hadal.Server.Generation;
using Hadal.Server.Responses;
using Hadal.Server.Telemetry;

namespace Hadal.Server;

/// <summary>What the API's endpoints are made of.</summary>
internal sealed record ServerParts(ModelRegistry Models, HadalServerOptions Options, GenerationPipeline Pipeline, ServerLifecycle Lifecycle, ServerMetrics Metrics, ResponseStore Responses);
