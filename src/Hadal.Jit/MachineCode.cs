using System.Globalization;
using System.Text;
using Iced.Intel;
using Decoder = Iced.Intel.Decoder;

namespace Hadal.Jit;

/// <summary>From an assembler to bytes, and from bytes to text.</summary>
public static class MachineCode
{
    private const int DataBytesPerLine = 16;

    /// <summary>The bytes; position-independent, since kernels jump only within themselves.</summary>
    public static byte[] Assemble(Assembler assembler)
    {
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), rip: 0);
        return stream.ToArray();
    }

    /// <summary>Intel syntax, an instruction a line, targets of jumps as labels; constants behind the code, which it addresses relative to rip, as <c>db</c>.</summary>
    /// <remarks>No addresses, so that an instruction more changes one line of the text.</remarks>
    public static string Disassemble(ReadOnlySpan<byte> code)
    {
        byte[] bytes = code.ToArray();
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(bytes));
        List<Instruction> instructions = [];
        SortedSet<ulong> jumpTargets = [];
        SortedSet<ulong> dataStarts = [];
        // What follows the code is data from the first place that is addressed.
        while (decoder.IP < Math.Min((ulong)bytes.Length, dataStarts.Count == 0 ? ulong.MaxValue : dataStarts.Min))
        {
            Instruction instruction = decoder.Decode();
            instructions.Add(instruction);
            if (instruction.IsIPRelativeMemoryOperand)
            {
                dataStarts.Add(instruction.IPRelativeMemoryAddress);
            }
            else if (instruction.Op0Kind is OpKind.NearBranch64)
            {
                jumpTargets.Add(instruction.NearBranchTarget);
            }
        }

        Dictionary<ulong, string> labels = Labels(jumpTargets, "L").Concat(Labels(dataStarts, "D")).ToDictionary();
        var options = new FormatterOptions { HexPrefix = "0x", HexSuffix = "", UppercaseHex = false, SpaceAfterOperandSeparator = true, FirstOperandCharIndex = 13 };
        var formatter = new NasmFormatter(options, new LabelResolver(labels));
        var output = new StringOutput();
        var text = new StringBuilder();
        foreach (Instruction instruction in instructions)
        {
            AppendLabel(instruction.IP);
            formatter.Format(instruction, output);
            text.Append("    ").Append(output.ToStringAndReset()).Append('\n');
        }

        for (int at = (int)decoder.IP; at < bytes.Length;)
        {
            AppendLabel((ulong)at);
            int end = Math.Min(at + DataBytesPerLine, bytes.Length);
            for (int i = at + 1; i < end; i++)
            {
                end = labels.ContainsKey((ulong)i) ? i : end;
            }

            text.Append("    db           ").AppendJoin(", ", bytes[at..end].Select(b => "0x" + b.ToString("x2", CultureInfo.InvariantCulture))).Append('\n');
            at = end;
        }

        return text.ToString();

        void AppendLabel(ulong address)
        {
            if (labels.TryGetValue(address, out string? label))
            {
                text.Append(label).Append(":\n");
            }
        }
    }

    private static IEnumerable<KeyValuePair<ulong, string>> Labels(SortedSet<ulong> addresses, string prefix)
        => addresses.Select((address, i) => KeyValuePair.Create(address, prefix + (i + 1).ToString(CultureInfo.InvariantCulture)));
}
