using Hadal.Formats.Safetensors;
using Hadal.Formats.Tests.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Safetensors;

public sealed unsafe class SafetensorsFileTests : IDisposable
{
    private readonly TestFiles _files = new();

    public static TheoryData<string, string, int, string[]> Broken => new()
    {
        { "not json", "{\"a\":", 0, ["not valid JSON"] },
        { "an array", "[]", 0, ["not a JSON object"] },
        { "trailing text", "{} {}", 0, ["not valid JSON"] },
        { "entry is a number", "{\"a\":5}", 0, ["'a'", "a number", "expected an object"] },
        { "no dtype", "{\"a\":{\"shape\":[],\"data_offsets\":[0,0]}}", 0, ["'a'", "no 'dtype'"] },
        { "no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, ["'a'", "no 'shape'"] },
        { "no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, ["'a'", "no 'data_offsets'"] },
        { "unknown dtype", "{\"a\":{\"dtype\":\"F7\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, ["'a'", "'F7'", "BF16"] },
        { "dtype is a number", "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, ["'a'", "dtype", "a number"] },
        { "negative shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, ["'a'", "shape[0]", "-1"] },
        { "fractional shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, ["'a'", "shape[0]", "1.5"] },
        { "huge shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,4]}}", 4, ["'a'", "more than 2^63"] },
        // 2^62 * 4 elements of 4 bytes wrap to 0 in 64 bits.
        { "wrapping shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, ["'a'", "holds 0 bytes"] },
        { "shape of 17 dimensions", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, ["'a'", "more than 16"] },
        { "shape holds text", "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 4, ["'a'", "shape[0]", "a string"] },
        { "bytes do not fit the shape", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, ["'a'", "holds 4 bytes", "takes 8"] },
        { "past the end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, ["'a'", "ends at data offset 8", "has 4 bytes"] },
        { "end before begin", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, ["'a'", "begin <= end"] },
        { "three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 8, ["'a'", "[0, 4, 8]"] },
        { "overlap", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 6, ["'b'", "must not overlap"] },
        { "hole", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}", 12, ["'b'", "a hole of 4 bytes"] },
        { "bytes behind the last", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 9, ["5 bytes belong to no tensor"] },
        { "name twice", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, ["'a'", "twice"] },
        { "key twice", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, ["'a'", "'dtype' twice"] },
        { "unknown key", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"code\":\"x\"}}", 1, ["'a'", "'code'"] },
        { "metadata is no string", "{\"__metadata__\":{\"k\":1}}", 0, ["__metadata__", "'k'", "a number"] },
        { "metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, ["'__metadata__' twice"] },
        { "deep nesting", "{\"a\":{\"dtype\":[[[[[[1]]]]]]}}", 0, ["'a'"] },
        { "unpaired surrogate", "{\"\\ud800\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, ["not valid Unicode"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Open_BrokenHeader_NamesFileAndFault(string what, string header, int dataBytes, string[] said)
    {
        string path = _files.Write(what.Replace(' ', '_') + ".safetensors", TestFiles.Safetensors(header, dataBytes));
        TestFiles.Refuses(() => SafetensorsFile.Open(path).Dispose(), [path, .. said]);
    }

    [Fact]
    public void Open_HeaderLongerThanFile_SaysBothLengths()
    {
        string path = _files.Write("cut.safetensors", [255, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'}']);
        TestFiles.Refuses(() => SafetensorsFile.Open(path), path, "header length is 255", "at most 2");
        path = _files.Write("huge.safetensors", [255, 255, 255, 255, 255, 255, 255, 255, (byte)'{', (byte)'}']);
        TestFiles.Refuses(() => SafetensorsFile.Open(path), "18446744073709551615");
        path = _files.Write("short.safetensors", [1, 2, 3]);
        TestFiles.Refuses(() => SafetensorsFile.Open(path), "3 bytes is too short");
        path = _files.Write("empty.safetensors", []);
        TestFiles.Refuses(() => SafetensorsFile.Open(path), "0 bytes is too short");
        TestFiles.Refuses(() => SafetensorsFile.Open(Path.Combine(_files.Folder, "absent.safetensors")), "absent.safetensors", "cannot be opened");
    }

    [Fact]
    public void Open_ScalarAndEmptyAndPadding_AreTaken()
    {
        string path = _files.Write("ok.safetensors", TestFiles.Safetensors(
            "{\"__metadata__\":{\"format\":\"pt\"},\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},\"e\":{\"dtype\":\"BF16\",\"shape\":[0,4611686018427387904,8],\"data_offsets\":[4,4]}}   ", 4));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.True(file.TryGet("s", out StoredTensor? s));
        Assert.Equal(1, s.NumElements);
        Assert.True(file.TryGet("e", out StoredTensor? e));
        Assert.Equal(0, e.ByteLength);
        Assert.False(file.TryGet("absent", out _));
    }

    [Fact]
    public void TryGet_Golden_PointsAtTheBytesOfTheFile()
    {
        string path = Path.Combine(TestFiles.Golden("llama"), "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (SafetensorsTensor t in file.Tensors)
        {
            Assert.True(file.TryGet(t.Name, out StoredTensor? tensor));
            Assert.True(new ReadOnlySpan<byte>(tensor.Data, (int)tensor.ByteLength).SequenceEqual(bytes.AsSpan((int)t.Offset, (int)t.ByteLength)));
        }
    }

    [Fact]
    public void TryGet_AfterDispose_Throws()
    {
        SafetensorsFile file = SafetensorsFile.Open(Path.Combine(TestFiles.Golden("llama"), "model.safetensors"));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryGet("model.norm.weight", out _));
    }

    public void Dispose() => _files.Dispose();
}
