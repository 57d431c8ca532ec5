using System.Text;
using System.Text.Json;

namespace Hadal.Soak;

/// <summary>
/// Reads one HTTP/1.1 answer of server-sent events as it comes, byte by byte where need be, and holds it against what it must be: a 200, whole chunks, every event
/// JSON, one end of the choice, a usage that counts what came, [DONE], and nothing behind it.
/// </summary>
internal sealed class EventStream
{
    private readonly List<byte> _line = new(512);
    private State _state = State.Status;
    private long _chunkLeft;
    private readonly List<byte> _event = new(512);
    private bool _finished;
    private bool _done;
    private int _usage = -1;

    private enum State
    {
        Status,
        Headers,
        ChunkSize,
        Chunk,
        ChunkEnd,
        Trailer,
        Ended,
    }

    public bool IsEnded => _state == State.Ended;

    public bool HasDone => _done;

    /// <summary>Events with text or thinking in them.</summary>
    public int NumDeltas { get; private set; }

    /// <summary>Of the usage; -1 before it came.</summary>
    public int NumTokens => _usage;

    /// <returns>What is wrong; null while all is well.</returns>
    public string? Append(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (_state == State.Ended)
                return "bytes behind the end";
            if (_state == State.Chunk)
            {
                _chunkLeft--;
                if (AppendBody(b) is { } wrong)
                    return wrong;
                if (_chunkLeft == 0)
                    _state = State.ChunkEnd;
                continue;
            }

            if (b != '\n')
            {
                _line.Add(b);
                continue;
            }

            string line = Encoding.ASCII.GetString([.. _line]).TrimEnd('\r');
            _line.Clear();
            if (AppendLine(line) is { } error)
                return error;
        }

        return null;
    }

    /// <returns>What is wrong with an answer that has ended so.</returns>
    public string? End() => !IsEnded ? "cut short" : !_done ? "no [DONE]" : !_finished ? "no finish_reason" : _usage < 0 ? "no usage" : NumDeltas > _usage + 1 ? "more pieces than tokens" : null;

    private string? AppendLine(string line)
    {
        switch (_state)
        {
            case State.Status:
                _state = State.Headers;
                return line == "HTTP/1.1 200 OK" ? null : "status " + (line.Length > 12 ? line[9..12] : line);
            case State.Headers:
                if (line.Length == 0)
                    _state = State.ChunkSize;
                return null;
            case State.ChunkSize:
                if (!long.TryParse(line, System.Globalization.NumberStyles.AllowHexSpecifier, null, out _chunkLeft))
                    return "bad chunk size";
                _state = _chunkLeft == 0 ? State.Trailer : State.Chunk;
                return null;
            case State.ChunkEnd:
                _state = State.ChunkSize;
                return line.Length == 0 ? null : "bad chunk end";
            case State.Trailer:
                _state = State.Ended;
                return _event.Count == 0 ? null : "half an event at the end";
            default:
                return "bytes behind the end";
        }
    }

    private string? AppendBody(byte b)
    {
        if (b != '\n' || _event.Count == 0 || _event[^1] != '\n')
        {
            _event.Add(b);
            return null;
        }

        byte[] bytes = [.. _event];
        _event.Clear();
        ReadOnlySpan<byte> data = bytes.AsSpan(0, bytes.Length - 1);
        if (!data.StartsWith("data: "u8))
            return "an event without data";
        data = data["data: "u8.Length..];
        if (_done)
            return "an event behind [DONE]";
        if (data.SequenceEqual("[DONE]"u8))
        {
            _done = true;
            return null;
        }

        return Check(data);
    }

    private string? Check(ReadOnlySpan<byte> data)
    {
        try
        {
            var reader = new Utf8JsonReader(data);
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                    continue;
                if (reader.ValueTextEquals("finish_reason"u8))
                {
                    reader.Read();
                    if (reader.TokenType == JsonTokenType.String && _finished)
                        return "two finish_reasons";
                    _finished |= reader.TokenType == JsonTokenType.String;
                }
                else if (reader.ValueTextEquals("completion_tokens"u8))
                {
                    reader.Read();
                    _usage = reader.GetInt32();
                }
                else if (reader.ValueTextEquals("content"u8) || reader.ValueTextEquals("reasoning_content"u8))
                {
                    reader.Read();
                    if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length > 0)
                        NumDeltas++;
                }
                else if (reader.ValueTextEquals("error"u8))
                {
                    return "an error event";
                }
            }

            return null;
        }
        catch (JsonException)
        {
            return "an event that is no JSON";
        }
    }
}
