using System.Text.Json.Serialization;
using Hadal.Cli.Bench;
using Hadal.Cli.Bench.Serving;
using Hadal.Cli.Canary;
using Hadal.Cli.Verbs;

namespace Hadal.Cli.Output;

/// <summary>JSON of the <c>--json</c> outputs, without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(SuiteReport))]
[JsonSerializable(typeof(ServeReport))]
[JsonSerializable(typeof(SpeculationReport))]
[JsonSerializable(typeof(EvalReport))]
[JsonSerializable(typeof(RunReport))]
[JsonSerializable(typeof(InspectReport))]
[JsonSerializable(typeof(Fingerprint))]
[JsonSerializable(typeof(ExplainReport))]
internal sealed partial class CliJson : JsonSerializerContext;
