using System.Text;
using FsCheck.Xunit;
using Hadal.Cli.Jsonl;
using Hadal.Cli.Output;
using Hadal.Numerics;

namespace Hadal.Cli.Tests;

public sealed class JsonLinesTests
{
    [Property(MaxTest = 200)]
    public void ReadAll_OfAnyBytes_GivesTheLinesOfSplit(byte[] noise, byte newlines)
    {
        byte[] bytes = [.. noise.Select((b, i) => i % (newlines % 7 + 1) == 0 ? (byte)'\n' : b)];
        string[] expected = Encoding.Latin1.GetString(bytes).Split('\n');
        IEnumerable<string> lines = expected[^1].Length == 0 ? expected[..^1] : expected;
        using var stream = new MemoryStream(bytes);
        Assert.Equal(lines.Select(l => l.EndsWith('\r') ? l[..^1] : l), new JsonLinesInput(stream).ReadAll().Select(Encoding.Latin1.GetString));
    }

    [Fact]
    public void ReadAll_OfALineWithoutEnd_IsRefused()
    {
        using var stream = new MemoryStream(new byte[300_000]);
        Assert.Throws<HadalException>(() => new JsonLinesInput(stream, maxLineBytes: 1000).ReadAll().Count());
    }

    [Fact]
    public void Append_OnAFullDisk_TakesTheLineBackAndGoesOnLater()
    {
        using var disk = new SmallDisk(capacity: 50);
        disk.Write("{\"a\":1}\n{\"torn"u8);
        using (var output = new JsonLinesOutput(disk, "out.jsonl"))
        {
            Assert.Equal((1, 6), (output.NumLines, output.NumTornBytes));
            output.Append("{\"b\":2}"u8);
            HadalException e = Assert.Throws<HadalException>(() => output.Append(Encoding.UTF8.GetBytes(new string('x', 100))));
            Assert.Contains("out.jsonl", e.Message, StringComparison.Ordinal);
            Assert.Contains("2 lines", e.Message, StringComparison.Ordinal);
            Assert.Equal("{\"a\":1}\n{\"b\":2}\n", Encoding.UTF8.GetString(disk.ToArray()));
            output.Append("{\"c\":3}"u8);
            Assert.Equal(["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"], output.ReadLines().Select(Encoding.UTF8.GetString));
            Assert.Equal(3, output.NumLines);
        }
    }

    [Fact]
    public void ProgressLine_HasShareRateAndTimeLeft()
    {
        string line = WorkProgressBar.Line("requests", 30, 60, TimeSpan.FromSeconds(10));
        Assert.StartsWith("[############............] ", line, StringComparison.Ordinal);
        Assert.EndsWith("  30 of 60 requests  3.0/s  00:00:10 left", line, StringComparison.Ordinal);
        Assert.EndsWith("10.10:00:00 left", WorkProgressBar.Line("requests", 1, 251, TimeSpan.FromHours(1)), StringComparison.Ordinal);
        Assert.Equal("30 texts  3.0/s", WorkProgressBar.Line("texts", 30, null, TimeSpan.FromSeconds(10)));
    }

    /// <summary>Writes what fits and fails then, as a disk does.</summary>
    private sealed class SmallDisk(int capacity) : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count)
        {
            int fits = (int)Math.Min(count, capacity - Position);
            base.Write(buffer, offset, Math.Max(0, fits));
            if (fits < count)
            {
                throw new IOException("No space left on device");
            }
        }
    }
}
