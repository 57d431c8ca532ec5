using Iced.Intel;

namespace Hadal.Jit;

/// <summary>From an assembler to bytes, and from bytes to text.</summary>
public static class MachineCode
{
    /// <summary>The bytes; position-independent, since kernels jump only within themselves.</summary>
    public static byte[] Assemble(Assembler assembler)
    {
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), rip: 0);
        return stream.ToArray();
    }

    /// <summary>Intel syntax, an instruction a line.</summary>
    public static string Disassemble(ReadOnlySpan<byte> code)
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(code.ToArray()));
        var formatter = new NasmFormatter();
        var output = new StringOutput();
        var text = new System.Text.StringBuilder();
        while (decoder.IP < (ulong)code.Length)
        {
            decoder.Decode(out Instruction instruction);
            text.Append(instruction.IP.ToString("x4")).Append("  ");
            formatter.Format(instruction, output);
            text.AppendLine(output.ToStringAndReset());
        }

        return text.ToString();
    }
}
