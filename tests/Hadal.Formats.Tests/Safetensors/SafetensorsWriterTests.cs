using FsCheck.Xunit;
using Hadal.Formats.Safetensors;
using Hadal.Formats.Tests.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Safetensors;

public sealed unsafe class SafetensorsWriterTests : IDisposable
{
    private static readonly DType[] _types = [DType.F32, DType.Bf16, DType.I64, DType.U8, DType.F8E4M3, DType.I32, DType.F64, DType.Bool];

    private readonly TestFiles _files = new();

    [Property(MaxTest = 100)]
    public void Write_AnyTensors_ReadBackTheSame(byte[] names, ushort seed)
    {
        var random = new Random(seed);
        string[] distinct = [.. names.Select(static n => "layer." + n).Distinct()];
        using var memory = new NativeBuffer(1 << 12);
        random.NextBytes(memory.Span<byte>());
        StoredTensor[] tensors = [.. distinct.Select((n, i) =>
        {
            DType type = _types[random.Next(_types.Length)];
            long[] shape = [.. Enumerable.Range(0, random.Next(4)).Select(_ => (long)random.Next(6))];
            long elements = shape.Aggregate(1L, static (a, b) => a * b);
            return new StoredTensor(n, type, shape, memory.Pointer + i, elements * type.BlockBytes, "test");
        })];
        string path = Path.Combine(_files.Folder, "t.safetensors");
        SafetensorsWriter.Write(path, tensors, new Dictionary<string, string> { ["note"] = "\"quoted\" <é>" });

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal("\"quoted\" <é>", file.Metadata["note"]);
        Assert.Equal(tensors.Length, file.Tensors.Count);
        foreach (StoredTensor expected in tensors)
        {
            Assert.True(file.TryGet(expected.Name, out StoredTensor? actual));
            Assert.Equal(expected.DType, actual.DType);
            Assert.Equal(expected.Shape, actual.Shape);
            Assert.True(new ReadOnlySpan<byte>(expected.Data, (int)expected.ByteLength).SequenceEqual(new ReadOnlySpan<byte>(actual.Data, (int)actual.ByteLength)));
            Assert.Equal(0, (nint)actual.Data % expected.DType.BlockBytes);
        }

        Assert.Equal([path], Directory.GetFiles(_files.Folder));
    }

    [Fact]
    public void Write_Misfits_AreRefused()
    {
        using var memory = new NativeBuffer(64);
        byte* b = memory.Pointer;
        string path = Path.Combine(_files.Folder, "t.safetensors");
        var a = new StoredTensor("a", DType.U8, [1], b, 1, "test");
        TestFiles.Refuses(() => SafetensorsWriter.Write(path, [a, a]), "'a'", "twice");
        TestFiles.Refuses(() => SafetensorsWriter.Write(path, [new StoredTensor("a", DType.U8, [2], b, 1, "test")]), "'a'", "has 1 bytes", "takes 2");
        TestFiles.Refuses(() => SafetensorsWriter.Write(path, [new StoredTensor("a", DType.Q8_0, [32], b, 34, "test")]), "'a'", "Q8_0");
        TestFiles.Refuses(() => SafetensorsWriter.Write(path, [new StoredTensor("__metadata__", DType.U8, [1], b, 1, "test")]), "reserved");
        TestFiles.Refuses(() => SafetensorsWriter.Write(Path.Combine(_files.Folder, "absent", "t.safetensors"), [a]), "cannot be written");
        Assert.Empty(Directory.GetFiles(_files.Folder));
    }

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Write_ThroughALink_ReplacesWhatItPointsTo()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("hadal-link-");
        try
        {
            string file = Path.Combine(folder.FullName, "real.safetensors");
            string link = Path.Combine(folder.FullName, "link.safetensors");
            File.WriteAllText(file, "old");
            File.CreateSymbolicLink(link, file);
            SafetensorsWriter.Write(link, []);
            Assert.NotNull(File.ResolveLinkTarget(link, returnFinalTarget: true));
            Assert.NotEqual("old", File.ReadAllText(file));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Write_ToADevice_IsRefused() => TestFiles.Refuses(() => SafetensorsWriter.Write("/dev/null", []), "/dev/null", "device");
}
