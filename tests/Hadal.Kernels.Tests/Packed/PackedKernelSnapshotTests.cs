using System.Runtime.CompilerServices;
using Hadal.Jit;
using Hadal.Kernels.Attention.Emitted;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Packed;

namespace Hadal.Kernels.Tests.Packed;

/// <summary>What the emitter writes, as text beside this file, so that a change of the emitter shows in review as the instructions it changes.</summary>
/// <remarks>Assembling asks nothing of the processor: these run on every machine.</remarks>
public sealed class PackedKernelSnapshotTests
{
    private const string AcceptVariable = "HADAL_ACCEPT_SNAPSHOTS";

    // Every kind alone, and with the most tokens where the kinds differ in how they fill the registers; fewer panels are the last rows of a matrix.
    private static readonly (PackedKind Kind, int Panels, int Tokens)[] _kernels =
    [
        (PackedKind.Bf16, 1, 1),
        (PackedKind.Bf16, 4, 6),
        (PackedKind.Int8, 1, 1),
        (PackedKind.Int8, 4, 3),
        (PackedKind.Int8Group32, 4, 1),
        (PackedKind.Int8Group32, 2, 3),
        (PackedKind.Int4Group32, 1, 1),
        (PackedKind.Int4Group32, 4, 2),
        (PackedKind.Int4Group32Min, 1, 1),
        (PackedKind.Int4Group32Min, 4, 3),
        (PackedKind.Int8Group32Min, 4, 3),
        (PackedKind.Int8Group16, 4, 1),
        (PackedKind.Fp8Block, 1, 1),
        (PackedKind.Fp8Block, 4, 3),
    ];

    private static readonly AttentionKernelShape[] _attention = [AttentionKernelShape.Latent(new MlaShape(16, 512, 64, 128, 128)), AttentionKernelShape.GroupedQuery(12, 2, 128)];

    private static bool Accept => Environment.GetEnvironmentVariable(AcceptVariable) == "1";

    public static TheoryData<PackedKind, int, int> Kernels()
    {
        var data = new TheoryData<PackedKind, int, int>();
        foreach ((PackedKind kind, int panels, int tokens) in _kernels)
        {
            data.Add(kind, panels, tokens);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Disassembly_OfEmittedKernel_EqualsTheSnapshot(PackedKind kind, int panels, int tokens)
    {
        AssertSnapshot(PackedKernels.Name(kind, panels, tokens), PackedKernels.Code(kind, panels, tokens));
    }

    [Fact]
    public void Disassembly_OfAttention_EqualsTheSnapshot()
        => Assert.All(_attention, shape => AssertSnapshot(AttentionKernel.Name(shape), AttentionKernel.Code(shape)));

    private static void AssertSnapshot(string name, byte[] code)
    {
        string file = Path.Combine(Folder(), name + ".asm");
        string actual = $"; {name}: {code.Length} bytes\n{MachineCode.Disassemble(code)}";
        if (Accept)
        {
            Directory.CreateDirectory(Folder());
            File.WriteAllText(file, actual);
        }

        string expected = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : "";
        if (actual != expected)
        {
            Assert.Fail(Difference(Path.GetRelativePath(Folder(), file), expected.Split('\n'), actual.Split('\n')));
        }
    }

    [Fact]
    public void Snapshots_OnDisk_AreThoseCompared()
    {
        string[] names = [.. _kernels.Select(k => PackedKernels.Name(k.Kind, k.Panels, k.Tokens) + ".asm"), .. _attention.Select(s => AttentionKernel.Name(s) + ".asm")];
        string[] stray = [.. Directory.GetFiles(Folder()).Where(f => !names.Contains(Path.GetFileName(f), StringComparer.Ordinal))];
        if (Accept)
        {
            Array.ForEach(stray, File.Delete);
            return;
        }

        Assert.True(stray.Length == 0, $"no test compares {string.Join(", ", stray)}: delete them, or set {AcceptVariable}=1");
    }

    private static string Difference(string name, string[] expected, string[] actual)
    {
        int line = 0;
        // The size in the first line differs with whatever differs below it.
        for (int i = 1; i < Math.Max(expected.Length, actual.Length) && line == 0; i++)
        {
            line = expected.ElementAtOrDefault(i) == actual.ElementAtOrDefault(i) ? 0 : i;
        }

        return $"""
            Snapshots/{name}: line {line + 1} differs
            expected: {expected.ElementAtOrDefault(line) ?? "(end of the file)"}
            actual:   {actual.ElementAtOrDefault(line) ?? "(end of the code)"}
            If the emitter was meant to change, run these tests (-class {typeof(PackedKernelSnapshotTests).FullName}) with {AcceptVariable}=1, which rewrites the files, and review what git shows.
            """;
    }

    private static string Folder([CallerFilePath] string thisFile = "") => Path.Combine(Path.GetDirectoryName(thisFile)!, "Snapshots");
}
