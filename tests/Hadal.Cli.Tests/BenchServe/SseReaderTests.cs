using System.Text;
using FsCheck.Xunit;
using Hadal.Cli.Bench.Serving;

namespace Hadal.Cli.Tests.BenchServe;

public sealed class SseReaderTests
{
    [Theory]
    [InlineData("data: a\n\ndata: b\n\n", "a|b")]
    [InlineData("data:a\r\n\r\ndata:b\r\n\r\n", "a|b")]
    [InlineData("data: a\r\rdata: b\r\r", "a|b")]
    [InlineData(": ping\n\nevent: x\nid: 3\ndata:  a\n\n", " a")]
    [InlineData("data: a\ndata\ndata: b\n\n", "a\n\nb")]
    [InlineData("data: a\n\ndata: b\n", "a")]
    [InlineData("database: a\n\n\n\n", "")]
    public void TryRead_AnyCutOfTheBytes_GivesTheSameEvents(string text, string expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (int piece = 1; piece <= bytes.Length; piece++)
        {
            Assert.Equal(expected, string.Join('|', Read(bytes, _ => piece)));
        }
    }

    [Property]
    public bool TryRead_AnyEventsInAnyPieces_ComeBackAsTheyWere(string[] events, byte[] pieces)
    {
        string[] lines = [.. events.Select(e => (e ?? "").Replace('\r', ' ').Replace('\n', ' ').Replace('\0', ' '))];
        byte[] bytes = Encoding.UTF8.GetBytes(string.Concat(lines.Select(l => $"data: {l}\n\n")));
        int at = 0;
        string[] read = Read(bytes, _ => pieces.Length == 0 ? int.MaxValue : 1 + pieces[at++ % pieces.Length]);
        return read.SequenceEqual(lines.Select(l => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(l))));
    }

    [Fact]
    public void TryRead_LineWithoutEnd_IsRefusedBeforeItFillsTheMemory()
    {
        using var reader = new SseReader();
        Assert.Throws<InvalidDataException>(() =>
        {
            for (long sum = 0; sum < 10L * SseReader.MaxEventBytes;)
            {
                Memory<byte> room = reader.GetMemory();
                room.Span.Fill((byte)'x');
                reader.Advance(room.Length);
                sum += room.Length;
                Assert.False(reader.TryRead(out _));
            }
        });
    }

    private static string[] Read(byte[] bytes, Func<int, int> nextPiece)
    {
        using var reader = new SseReader();
        var events = new List<string>();
        for (int at = 0; at < bytes.Length;)
        {
            Memory<byte> room = reader.GetMemory();
            int count = Math.Min(Math.Min(nextPiece(at), room.Length), bytes.Length - at);
            bytes.AsMemory(at, count).CopyTo(room);
            reader.Advance(count);
            at += count;
            while (reader.TryRead(out ReadOnlySpan<byte> data))
            {
                events.Add(Encoding.UTF8.GetString(data));
            }
        }

        return [.. events];
    }
}
