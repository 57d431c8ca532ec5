using System.CommandLine;
using System.Text.Json;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Graph.Passes;
using Hadal.Graph.Planning;
using Hadal.Models;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal explain</c>: what the compiler makes of a model, and why.</summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        var command = new Command("explain", """
            Show what the compiler makes of a model: each pass with the places it changed and why, the operations that run, and the memory of activations.

            Operations of equal layers are shown once; --all shows every one.
            With --asm, instead: the machine code emitted for this machine, the kernels each operation runs and their disassembly. No weight is read.

            Examples:
              hadal explain
              hadal explain --fusion none
              hadal explain --synthetic deepseek-v3 --fusion default,-mla-absorption
              hadal explain --asm --weight-dtype int8
            """);
        var model = new ModelOptions(command, "auto");
        var all = new Option<bool>("--all") { Description = "Show the operations of every layer; with --asm also the kernels of every number of tokens" };
        var asm = new Option<bool>("--asm") { Description = "Show the emitted kernels and their code" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        command.Options.Add(all);
        command.Options.Add(asm);
        command.Options.Add(json);
        command.SetAction(parsed => Run(parsed, model, parsed.GetValue(all), parsed.GetValue(asm), parsed.GetValue(json)));
        return command;
    }

    private static int Run(ParseResult parsed, ModelOptions options, bool all, bool asm, bool json)
    {
        if (asm && options.OnCard(parsed))
        {
            throw new HadalException("--asm is for --device cpu: a card's kernels are the checked-in PTX that docs/cuda.md tells of.");
        }

        (string name, ModelConfig config, Checkpoint? checkpoint) = ModelSession.Open(options, parsed);
        using (checkpoint)
        {
            ModelGraph graph = ModelCatalog.Find(config).Build(config);
            int before = graph.Nodes.Count;
            FusionPlan fusion = options.Fusion(parsed);
            IReadOnlyList<(IGraphPass Pass, int Changes)> passes = fusion.Apply(graph);
            BufferPlan plan = BufferPlanner.Plan(graph, fusion.ShareBuffers);
            var report = new ExplainReport
            {
                Model = name,
                Fusion = fusion.Name,
                NodesBefore = before,
                NodesAfter = graph.Nodes.Count,
                Passes = [.. passes.Select(p => new ExplainReport.PassLine(p.Pass.Name, p.Changes, p.Pass.Why))],
                Program = [.. all || json ? graph.Nodes.Select(n => n.ToString()) : Folded(graph)],
                NaiveBytesPerToken = plan.NaiveBytesPerToken,
                PlannedBytesPerToken = plan.BytesPerRow[RowSymbol.Tokens],
                LowerBoundBytesPerToken = plan.LowerBoundBytesPerToken,
                Emitted = asm ? ExplainAsm.Of(options, parsed, config, checkpoint, graph, all) : null,
            };
            if (json)
            {
                Console.WriteLine(JsonSerializer.Serialize(report, CliJson.Default.ExplainReport));
                return 0;
            }

            if (report.Emitted is { } emitted)
            {
                ExplainAsm.Print(name, emitted, all);
                return 0;
            }

            Console.WriteLine($"{name}: {before} operations, {graph.Nodes.Count} after --fusion {fusion.Name}");
            foreach (ExplainReport.PassLine pass in report.Passes)
            {
                Console.WriteLine($"  {pass.Name,-20} {pass.Changes,5} ×  {pass.Why}");
            }

            Console.WriteLine();
            foreach (string line in report.Program)
            {
                Console.WriteLine(line);
            }

            Console.WriteLine();
            Console.WriteLine($"activations a token: {Terminal.Bytes(report.NaiveBytesPerToken)} with a buffer each, {Terminal.Bytes(report.PlannedBytesPerToken)} planned, {Terminal.Bytes(report.LowerBoundBytesPerToken)} at least");
        }

        return 0;
    }

    /// <summary>Runs of layers whose operations are the same stand as one.</summary>
    private static IEnumerable<string> Folded(ModelGraph graph)
    {
        foreach ((string heading, IReadOnlyList<Node> nodes) in Layers.Fold(graph.Nodes, n => n.Scope, Signature))
        {
            yield return heading;
            foreach (Node node in nodes)
            {
                yield return $"  {string.Join(", ", node.Outputs.Select(o => o.ToString())),-28} <- {node.Op.Name}({string.Join(", ", node.Inputs.Select(v => v.ToString()))})";
            }
        }
    }

    private static string Signature(Node node)
        => $"{node.Op.Name}/{string.Join(',', node.Outputs.Select(o => o.Columns))}/{string.Join(',', node.Inputs.Select(i => i.Columns))}";
}
