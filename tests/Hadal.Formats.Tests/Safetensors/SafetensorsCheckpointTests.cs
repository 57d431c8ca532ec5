using Hadal.Formats.Safetensors;
using Hadal.Formats.Tests.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Safetensors;

public sealed class SafetensorsCheckpointTests : IDisposable
{
    private const string OneByte = "{\"NAME\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";

    private readonly TestFiles _files = new();

    public static TheoryData<string, string[]> BrokenIndexes => new()
    {
        { "{\"weight_map\":{\"a\":\"../x.safetensors\"}}", ["'a'", "../x.safetensors", "plain file name"] },
        { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", ["'a'", "/etc/passwd", "plain file name"] },
        { "{\"weight_map\":{\"a\":\"sub\\\\x.safetensors\"}}", ["'a'", "plain file name"] },
        { "{\"weight_map\":{\"a\":\"model.bin\"}}", ["'a'", "model.bin"] },
        { "{\"weight_map\":{\"a\":7}}", ["'a'", "not a string"] },
        { "{\"weight_map\":[]}", ["'weight_map'", "not an object"] },
        { "{\"metadata\":{}}", ["no 'weight_map'"] },
        { "{\"weight_map\":{},\"weight_map\":{}}", ["'weight_map' twice"] },
        { "{\"weight_map\":{\"a\":\"s1.safetensors\",\"a\":\"s1.safetensors\"}}", ["'a' twice"] },
        { "{\"weight_map\":{\"a\":\"missing.safetensors\"}}", ["'a'", "missing.safetensors", "missing shard"] },
        { "{\"weight_map\":{\"b\":\"s1.safetensors\"}}", ["'b'", "s1.safetensors", "does not hold it"] },
        { "[1]", ["not a JSON object"] },
        { "{\"weight_map\":{\"a\"", ["not valid JSON"] },
        { "{\"metadata\":{\"x\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]},\"weight_map\":{}}", ["not valid JSON"] },
    };

    [Theory]
    [MemberData(nameof(BrokenIndexes))]
    public void Open_BrokenIndex_NamesIndexAndFault(string index, string[] said)
    {
        _files.Write("s1.safetensors", TestFiles.Safetensors(OneByte.Replace("NAME", "a"), 1));
        string path = _files.Write(SafetensorsCheckpoint.IndexName, index);
        TestFiles.Refuses(() => SafetensorsCheckpoint.Open(_files.Folder), [path, .. said]);
    }

    [Fact]
    public void Open_NoWeights_SaysWhatWasLookedFor()
    {
        TestFiles.Refuses(() => SafetensorsCheckpoint.Open(_files.Folder), _files.Folder, "model.safetensors.index.json", "*.safetensors");
        TestFiles.Refuses(() => SafetensorsCheckpoint.Open(Path.Combine(_files.Folder, "absent")), "no such folder");
    }

    [Fact]
    public void Open_SeveralFilesWithoutIndex_JoinsThemAndRefusesDoubles()
    {
        _files.Write("x1.safetensors", TestFiles.Safetensors(OneByte.Replace("NAME", "a"), 1));
        _files.Write("x2.safetensors", TestFiles.Safetensors(OneByte.Replace("NAME", "b"), 1));
        using (SafetensorsCheckpoint c = SafetensorsCheckpoint.Open(_files.Folder))
        {
            Assert.Equal(["a", "b"], c.Names.Order());
        }

        _files.Write("x3.safetensors", TestFiles.Safetensors(OneByte.Replace("NAME", "b"), 1));
        TestFiles.Refuses(() => SafetensorsCheckpoint.Open(_files.Folder), "'b'", "x2.safetensors", "x3.safetensors");
    }

    [Fact]
    public void Open_Demo_HoldsWhatTheIndexSays()
    {
        using SafetensorsCheckpoint c = SafetensorsCheckpoint.Open(TestFiles.Demo);
        Assert.Equal(3, c.Files.Count);
        long total = 0;
        foreach (string name in c.Names)
        {
            Assert.True(c.TryGet(name, out StoredTensor? t));
            total += t.ByteLength;
        }

        // metadata.total_size of the index.
        Assert.Equal(29600732, total);
    }

    public void Dispose() => _files.Dispose();
}
