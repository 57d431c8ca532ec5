using Hadal.Formats.Gguf;
using Hadal.Formats.Tests.Checkpoints;
using Hadal.Numerics;
using Hadal.TestKit.Gguf;

namespace Hadal.Formats.Tests.Gguf;

public sealed unsafe class GgufFileTests : IDisposable
{
    private readonly TestFiles _files = new();

    public static TheoryData<string, Action<GgufWriter>, string[]> Broken => new()
    {
        { "version 1", static w => w.Version = 1, ["offset 4", "version is 1"] },
        { "version 9", static w => w.Version = 9, ["version is 9", "2 or 3"] },
        { "big-endian", static w => w.Version = 3 << 24, ["big-endian"] },
        { "unknown value type", static w => w.AddRaw("x.y", 77, [1]), ["'x.y'", "unknown type 77"] },
        { "unknown element type", static w => w.AddArray("x.y", 99, 0, []), ["'x.y'", "unknown type 99"] },
        { "key twice", static w => w.Add("general.name", "again"), ["'general.name' comes twice"] },
        { "empty key", static w => w.Add("", 1), ["metadata key", "length", "is 0"] },
        { "key of 70000 bytes", static w => w.Add(new string('k', 70000), 1), ["length", "70000", "65535"] },
        { "string past the end", static w => w.AddRaw("x.s", 8, BitConverter.GetBytes(1UL << 40)), ["'x.s'", "1099511627776"] },
        { "string of 2^64 - 1", static w => w.AddRaw("x.s", 8, BitConverter.GetBytes(ulong.MaxValue)), ["'x.s'", "18446744073709551615"] },
        { "array past the end", static w => w.AddArray("x.a", 4, 1L << 40, []), ["'x.a'", "1099511627776", "at most"] },
        { "array of 2^64 - 1", static w => w.AddArray("x.a", 10, -1, []), ["'x.a'", "18446744073709551615"] },
        { "nested deeply", static w => w.AddArray("x.a", 9, 1, Nested(6)), ["'x.a'", "nests arrays"] },
        { "alignment 3", static w => w.Add("general.alignment", 3u), ["general.alignment", "is 3", "power of two"] },
        { "alignment 0", static w => w.Add("general.alignment", 0u), ["general.alignment", "is 0"] },
        { "alignment is text", static w => w.Add("general.alignment", "32"), ["general.alignment", "a String"] },
        { "no dimensions", static w => w.AddTensor("t2", 0, [], []), ["'t2'", "0 dimensions"] },
        { "five dimensions", static w => w.AddTensor("t2", 0, [1, 1, 1, 1, 1], new byte[4]), ["'t2'", "5 dimensions"] },
        { "a dimension of 0", static w => w.AddTensor("t2", 0, [0], []), ["'t2'", "dimension of 0"] },
        { "a dimension of 2^64 - 1", static w => w.AddTensor("t2", 0, [ulong.MaxValue], []), ["'t2'", "18446744073709551615"] },
        { "a product beyond 2^63", static w => w.AddTensor("t2", 0, [1UL << 40, 1UL << 40], []), ["'t2'", "more than 2^63"] },
        { "a product that wraps to 0", static w => w.AddTensor("t2", 0, [1UL << 32, 1UL << 30], []), ["'t2'", "more than 2^63"] },
        { "a row that is no block", static w => w.AddTensor("t2", 8, [33, 2], new byte[68]), ["'t2'", "33", "multiple of 32"] },
        { "data past the end", static w => w.AddTensor("t2", 0, [1000], new byte[4]), ["'t2'", "takes 4000 bytes"] },
        { "tensor twice", static w => w.AddTensor("t", 0, [1], new byte[4]), ["'t' comes twice"] },
        { "offset off alignment", static w => w.Offset = static (n, at) => n == "u" ? at + 1 : at, ["'u'", "multiple of 32"] },
        { "offset past the end", static w => w.Offset = static (n, at) => n == "u" ? 1UL << 63 : at, ["'u'", "9223372036854775808"] },
        { "overlap", static w => w.Offset = static (_, _) => 0, ["must not overlap", "ends at"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Open_Broken_NamesFileAndFault(string what, Action<GgufWriter> breakIt, string[] said)
    {
        GgufWriter w = Small();
        breakIt(w);
        string path = _files.Write(what.Replace(' ', '_') + ".gguf", w.ToBytes());
        TestFiles.Refuses(() => GgufFile.Open(path).Dispose(), [path, .. said]);
    }

    [Fact]
    public void Open_CutAnywhere_IsRefused()
    {
        byte[] bytes = Small().ToBytes();
        // The last tensor has 24 bytes and 8 of padding behind it, which a file may lack.
        for (int length = 0; length < bytes.Length - 8; length++)
        {
            string path = _files.Write("cut.gguf", bytes[..length]);
            TestFiles.Refuses(() => GgufFile.Open(path).Dispose(), path);
        }
    }

    [Fact]
    public void Open_HugeCounts_AreRefusedWithoutAllocating()
    {
        byte[] bytes = Small().ToBytes();
        foreach (int at in (int[])[8, 16])
        {
            byte[] broken = [.. bytes];
            BitConverter.GetBytes(ulong.MaxValue / 64).CopyTo(broken, at);
            string path = _files.Write("counts.gguf", broken);
            long before = GC.GetAllocatedBytesForCurrentThread();
            TestFiles.Refuses(() => GgufFile.Open(path).Dispose(), path, $"offset {at}", "at most");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }

        TestFiles.Refuses(() => GgufFile.Open(_files.Write("text.gguf", "hello")), "does not begin with 'GGUF'");
        TestFiles.Refuses(() => GgufFile.Open(_files.Write("empty.gguf", [])), "does not begin with 'GGUF'");
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    public void Open_AllValueTypes_ReadBack(uint version)
    {
        GgufWriter w = Small();
        w.Version = version;
        w.AddRaw("v.u8", 0, [200]).AddRaw("v.i8", 1, [200]).AddRaw("v.u16", 2, [255, 255]).AddRaw("v.i16", 3, [255, 255]);
        w.Add("v.u32", uint.MaxValue).Add("v.i32", -5).Add("v.f32", 0.1f).Add("v.bool", true).Add("v.str", "é｜");
        w.AddRaw("v.u64", 10, BitConverter.GetBytes(ulong.MaxValue)).AddRaw("v.i64", 11, BitConverter.GetBytes(-1L << 40)).AddRaw("v.f64", 12, BitConverter.GetBytes(0.1));
        w.Add("v.strs", ["a", "", "ü"]).Add("v.i32s", [1, -2]).Add("v.f32s", [1.5f]).AddArray("v.nested", 9, 1, Nested(1)).AddArray("v.none", 8, 0, []);
        string path = _files.Write("all.gguf", w.ToBytes());
        using GgufFile file = GgufFile.Open(path);
        IReadOnlyDictionary<string, GgufValue> m = file.Metadata;
        Assert.Equal(version, file.Version);
        Assert.Equal((200, -56, 65535, -1, uint.MaxValue, -5), (m["v.u8"].AsInteger(), m["v.i8"].AsInteger(), m["v.u16"].AsInteger(), m["v.i16"].AsInteger(), m["v.u32"].AsInteger(), m["v.i32"].AsInteger()));
        Assert.Equal((0.1f, 0.1, -1L << 40), ((float)m["v.f32"].AsNumber(), m["v.f64"].AsNumber(), m["v.i64"].AsInteger()));
        Assert.True(m["v.bool"].AsBool());
        Assert.Equal("é｜", m["v.str"].AsString());
        Assert.Equal(["a", "", "ü"], m["v.strs"].AsStrings());
        Assert.Equal([1, -2], m["v.i32s"].AsIntegers());
        Assert.Equal([1.5f], m["v.f32s"].AsNumbers());
        Assert.Empty(m["v.none"].AsStrings());
        Assert.Equal((GgufValueType.Array, GgufValueType.Array, 1), (m["v.nested"].Type, m["v.nested"].ElementType, m["v.nested"].Count));
        Assert.All(m.Values, static v => Assert.NotEmpty(v.ToString()));
        TestFiles.Refuses(() => m["v.u64"].AsInteger(), path, "'v.u64'", "18446744073709551615");
        TestFiles.Refuses(() => m["v.str"].AsInteger(), path, "'v.str'", "a String", "a whole number");
        TestFiles.Refuses(() => m["v.strs"].AsIntegers(), "'v.strs'", "an array of 3 String");
        TestFiles.Refuses(() => m["v.i32"].AsStrings(), "'v.i32'", "an array of strings");
    }

    [Fact]
    public void Tensors_ShapeIsReversed_AndDataIsThere()
    {
        using GgufFile file = GgufFile.Open(_files.Write("t.gguf", Small().ToBytes()));
        Assert.True(file.TryGetTensor("u", out GgufTensorInfo? u));
        Assert.Equal([3, 2], u.Shape);
        Assert.Equal((DType.F32, 24), (u.DType, u.ByteLength));
        Assert.Equal(0, u.Offset % 32);
        Assert.Equal([0, 1, 2, 3, 4, 5], new ReadOnlySpan<float>(file.DataOf(u), 6).ToArray());
    }

    [Fact]
    public void Open_UnreadableType_IsListed()
    {
        GgufWriter w = Small();
        w.AddTensor("iq", 16, [256], new byte[66]);
        w.AddTensor("future", 250, [7], new byte[9]);
        using GgufFile file = GgufFile.Open(_files.Write("t.gguf", w.ToBytes()));
        Assert.True(file.TryGetTensor("iq", out GgufTensorInfo? iq));
        Assert.Equal(("IQ2_XXS", null), (iq.TypeName, iq.DType));
        Assert.True(file.TryGetTensor("future", out GgufTensorInfo? future));
        Assert.Equal("ggml type 250", future.TypeName);
    }

    public void Dispose() => _files.Dispose();

    private static GgufWriter Small() => new GgufWriter()
        .Add("general.architecture", "llama")
        .Add("general.name", "small")
        .AddTensor("t", 0, [4], new byte[16])
        .AddTensor("u", 0, [2, 3], [.. Enumerable.Range(0, 6).SelectMany(static i => BitConverter.GetBytes((float)i))]);

    /// <summary>The elements of an array of arrays: one array each, so many levels down to an empty one of bytes.</summary>
    private static byte[] Nested(int levels)
    {
        byte[] inner = [.. BitConverter.GetBytes(0u), .. BitConverter.GetBytes(0UL)];
        for (int i = 1; i < levels; i++)
        {
            inner = [.. BitConverter.GetBytes(9u), .. BitConverter.GetBytes(1UL), .. inner];
        }

        return inner;
    }
}
