using Iced.Intel;

namespace Hadal.Jit;

/// <summary>Names for the addresses that instructions refer to.</summary>
internal sealed class LabelResolver(Dictionary<ulong, string> labels) : ISymbolResolver
{
    public bool TryGetSymbol(in Instruction instruction, int operand, int instructionOperand, ulong address, int addressSize, out SymbolResult symbol)
    {
        // Displacements and immediate values are asked about too.
        bool isReference = instruction.IsIPRelativeMemoryOperand || instruction.Op0Kind == OpKind.NearBranch64;
        if (isReference && labels.TryGetValue(address, out string? label))
        {
            symbol = new SymbolResult(address, label);
            return true;
        }

        symbol = default;
        return false;
    }
}
