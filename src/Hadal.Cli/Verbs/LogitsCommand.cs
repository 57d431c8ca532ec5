using System.Buffers.Binary;
using System.CommandLine;
using System.Runtime.InteropServices;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal logits</c>: the model's raw output for given ids, for checking against other implementations.</summary>
internal static class LogitsCommand
{
    public static Command Create()
    {
        var command = new Command("logits", """
            Compute the logits of token ids, to compare with another implementation.

            Reads tensor input_ids [B, T] int64, writes tensor logits [B, T, V] float32. Activations are float32 unless --dtype says otherwise.

            Example:
              hadal logits DeepSeek-V2-Lite --input-ids ids.safetensors --output logits.safetensors
            """);
        var model = new ModelOptions(command, "f32");
        var input = new Option<FileInfo>("--input-ids") { Description = "safetensors file with tensor input_ids [B, T] int64", Required = true, HelpName = "FILE" };
        var output = new Option<FileInfo>("--output") { Description = "safetensors file to write tensor logits [B, T, V] float32 to", Required = true, HelpName = "FILE" };
        var chunk = new Option<int>("--chunk") { Description = "Compute the rows in pieces of this many tokens; 0 for whole", HelpName = "TOKENS" };
        chunk.InRange(0);
        command.Options.Add(input);
        command.Options.Add(output);
        command.Options.Add(chunk);
        command.SetAction((parsed, ct) => Task.FromResult(Run(parsed, model, parsed.GetValue(input)!, parsed.GetValue(output)!, parsed.GetValue(chunk), ct)));
        return command;
    }

    private static int Run(ParseResult parsed, ModelOptions options, FileInfo input, FileInfo output, int chunk, CancellationToken cancellationToken)
    {
        int[][] rows = ReadIds(input.FullName);
        int length = rows[0].Length;
        using ModelSession session = ModelSession.Load(options, parsed, cancellationToken, (_, load) => load with { MaxSequences = 1 });
        int vocab = session.Config.VocabSize;
        if (length > session.Runner.MaxContextLen)
        {
            throw new HadalException($"{input.FullName}: input_ids has rows of {length} tokens; the model takes {session.Runner.MaxContextLen} here (--max-context, --kv-memory).");
        }

        for (int b = 0; b < rows.Length; b++)
        {
            for (int t = 0; t < length; t++)
            {
                if ((uint)rows[b][t] >= (uint)vocab)
                {
                    throw new HadalException($"{input.FullName}: input_ids[{b}, {t}] is {rows[b][t]}; ids go from 0 to {vocab - 1}.");
                }
            }
        }

        using NativeBuffer logits = NativeBuffer.Of<float>((nint)rows.Length * length * vocab);
        var sequence = new SequenceLogits(session.Runner, chunk);
        for (int b = 0; b < rows.Length; b++)
        {
            int row = b;
            sequence.Run(
                rows[b],
                (from, piece) => MemoryMarshal.AsBytes(piece).CopyTo(logits.Slice((((nuint)row * (nuint)length) + (nuint)from) * (nuint)vocab * sizeof(float), piece.Length * sizeof(float))),
                cancellationToken);
        }

        SafetensorsWriter.Write(output.FullName, [new StoredTensor("logits", DType.F32, [rows.Length, length, vocab], logits, "computed")]);
        Terminal.Note($"{output.FullName}: logits [{rows.Length}, {length}, {vocab}] of {session.Name}");
        return 0;
    }

    private static int[][] ReadIds(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (!file.TryGet("input_ids", out StoredTensor? tensor))
        {
            throw new HadalException($"{path}: has no tensor input_ids; it has {string.Join(", ", file.Tensors.Select(t => t.Name).Take(10))}.");
        }

        if (tensor.DType != DType.I64 || tensor.Shape.Count != 2 || tensor.NumElements == 0)
        {
            throw new HadalException($"{path}: input_ids is {tensor.DType} [{string.Join(", ", tensor.Shape)}]; expected I64 [B, T], neither of them 0.");
        }

        int rows = checked((int)tensor.Shape[0]);
        int length = checked((int)tensor.Shape[1]);
        var ids = new int[rows][];
        for (int b = 0; b < rows; b++)
        {
            ids[b] = new int[length];
            for (int t = 0; t < length; t++)
            {
                // What does not fit an int is no id either; -1 says so to the check that follows.
                long id = BinaryPrimitives.ReadInt64LittleEndian(tensor.Slice((((long)b * length) + t) * sizeof(long), sizeof(long)));
                ids[b][t] = id is >= 0 and <= int.MaxValue ? (int)id : -1;
            }
        }

        return ids;
    }
}
