using System.Text;
using Hadal.Formats.Npy;
using Hadal.Formats.Tests.Checkpoints;

namespace Hadal.Formats.Tests.Npy;

public sealed class NpyArrayTests : IDisposable
{
    private readonly TestFiles _files = new();

    public static TheoryData<string, int, string[]> Broken => new()
    {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4, ["'<f4'", "whole number"] },
        { "{'descr': '>i4', 'fortran_order': False, 'shape': (1,), }", 4, ["'>i4'"] },
        { "{'descr': '<i4', 'fortran_order': True, 'shape': (1, 1), }", 4, ["fortran_order is True", "ascontiguousarray"] },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (), }", 4, ["0 dimensions"] },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 1, 1), }", 4, ["3 dimensions"] },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", 4, ["(2)", "takes 8 bytes", "but 4 follow"] },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (2147483647, 2147483647), }", 4, ["but 4 follow"] },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (4294967296,), }", 4, ["dimension below 2^31"] },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }", 4, ["dimension below 2^31"] },
        { "{'descr': '<i4', 'fortran_order': False, }", 4, ["keys descr, fortran_order and shape"] },
        { "{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", 4, ["once"] },
        { "{'descr': '<i4', 'fortran_order': Perhaps, 'shape': (1,), }", 4, ["True or False"] },
        { "{'descr': '<i4", 4, ["end of a quoted string"] },
        { "(1, 2)", 4, ["'{'"] },
        { "", 4, ["'{'"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Read_BrokenHeader_NamesFileAndFault(string header, int dataBytes, string[] said)
    {
        string path = _files.Write("a.npy", File(1, header, new byte[dataBytes]));
        TestFiles.Refuses(() => NpyArray.Read(path), [path, .. said]);
    }

    [Fact]
    public void Read_BrokenFile_SaysWhatIsWrong()
    {
        TestFiles.Refuses(() => NpyArray.Read(_files.Write("a.npy", "hello, this is text")), "magic");
        TestFiles.Refuses(() => NpyArray.Read(_files.Write("a.npy", [])), "magic");
        TestFiles.Refuses(() => NpyArray.Read(_files.Write("a.npy", File(9, "{}", []))), "version is 9");
        byte[] cut = File(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", new byte[4]);
        TestFiles.Refuses(() => NpyArray.Read(_files.Write("a.npy", cut[..20])), "header length");
        byte[] big = File(1, "{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }", [255, 255, 255, 255, 255, 255, 255, 255]);
        TestFiles.Refuses(() => NpyArray.Read(_files.Write("a.npy", big)), "18446744073709551615");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Read_EachVersion_GivesShapeAndValues(byte version)
    {
        string path = _files.Write("a.npy", File(version, "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }      \n", [1, 0, 255, 255, 0, 1, 2, 0]));
        NpyArray a = NpyArray.Read(path);
        Assert.Equal([2, 2], a.Shape);
        Assert.Equal([1, -1, 256, 2], a.Values.ToArray());
        Assert.Equal([1, -1, 256, 2], a.ToInt32());
    }

    [Fact]
    public void Read_HeldOutText_IsTokensOfTheDemo()
    {
        NpyArray a = NpyArray.Read(Path.Combine(TestFiles.Root, "tests", "goldens", "demo", "heldout_ids.npy"));
        Assert.True(a.Values.Length > 1000);
        Assert.All(a.ToInt32(), static id => Assert.InRange(id, 0, 4095));
    }

    [Fact]
    public void ToInt32_TooLarge_IsRefused()
    {
        string path = _files.Write("a.npy", File(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", BitConverter.GetBytes(1L << 40)));
        TestFiles.Refuses(() => NpyArray.Read(path).ToInt32(), "element 0", "1099511627776");
    }

    public void Dispose() => _files.Dispose();

    private static byte[] File(byte version, string header, byte[] data)
    {
        byte[] text = Encoding.Latin1.GetBytes(header);
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes(text.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. data];
    }
}
