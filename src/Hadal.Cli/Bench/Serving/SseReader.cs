using System.Buffers;

namespace Hadal.Cli.Bench.Serving;

/// <summary>
/// Cuts a stream of server-sent events into the data of each (WHATWG HTML, 9.2), over bytes and without making strings. Only data is kept: events'
/// names and comments are skipped, and the lines of one event are joined by newlines.
/// </summary>
internal sealed class SseReader : IDisposable
{
    /// <summary>No chunk of an answer is nearly as long; a server that sends no line end must not fill the memory.</summary>
    public const int MaxEventBytes = 16 << 20;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(4096);
    private byte[] _data = [];
    private int _start;
    private int _end;
    private int _scanned;
    private int _dataLength;
    private bool _hasData;
    private bool _skipLineFeed;

    /// <summary>Where the next bytes go; tell how many came with <see cref="Advance"/>.</summary>
    public Memory<byte> GetMemory()
    {
        if (_end == _buffer.Length)
        {
            int length = _end - _start;
            byte[] larger = _start > _buffer.Length / 2 ? _buffer : ArrayPool<byte>.Shared.Rent(Math.Min(_buffer.Length * 2, MaxEventBytes + 4096));
            _buffer.AsSpan(_start, length).CopyTo(larger);
            if (larger != _buffer)
            {
                ArrayPool<byte>.Shared.Return(_buffer);
                _buffer = larger;
            }

            _scanned -= _start;
            (_start, _end) = (0, length);
        }

        return _buffer.AsMemory(_end);
    }

    public void Advance(int count) => _end += count;

    /// <summary>The data of the next event that is complete; valid until the next call.</summary>
    /// <exception cref="InvalidDataException">An event is longer than <see cref="MaxEventBytes"/>.</exception>
    public bool TryRead(out ReadOnlySpan<byte> data)
    {
        if (!_hasData)
        {
            _dataLength = 0;
        }

        while (TryReadLine(out ReadOnlySpan<byte> line))
        {
            if (line.IsEmpty)
            {
                if (_hasData)
                {
                    _hasData = false;
                    data = _data.AsSpan(0, _dataLength);
                    return true;
                }

                continue;
            }

            if (line.StartsWith("data"u8) && (line.Length == 4 || line[4] == ':'))
            {
                ReadOnlySpan<byte> value = line.Length == 4 ? default : line[5..];
                Append(value.StartsWith(" "u8) ? value[1..] : value);
            }
        }

        data = default;
        return false;
    }

    /// <summary>Bytes came that belong to no complete event.</summary>
    public bool HasRest => _hasData || _end > _start;

    public void Dispose()
    {
        byte[] buffer = _buffer;
        _buffer = [];
        _start = _end = 0;
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        if (_skipLineFeed && _start < _end)
        {
            // The second half of a line end whose first half ended the bytes before.
            _skipLineFeed = false;
            if (_buffer[_start] == '\n')
            {
                _start++;
                _scanned = Math.Max(_scanned, _start);
            }
        }

        int from = Math.Max(_scanned, _start);
        int at = _buffer.AsSpan(from, _end - from).IndexOfAny((byte)'\n', (byte)'\r');
        if (at < 0)
        {
            _scanned = _end;
            if (_end - _start > MaxEventBytes)
            {
                throw new InvalidDataException($"a line of an event is longer than {MaxEventBytes >> 20} MiB");
            }

            if (_start == _end)
            {
                _start = _end = _scanned = 0;
            }

            line = default;
            return false;
        }

        at += from;
        line = _buffer.AsSpan(_start, at - _start);
        _skipLineFeed = _buffer[at] == '\r';
        _start = _scanned = at + 1;
        return true;
    }

    private void Append(ReadOnlySpan<byte> value)
    {
        int needed = _dataLength + value.Length + (_hasData ? 1 : 0);
        if (needed > MaxEventBytes)
        {
            throw new InvalidDataException($"an event is longer than {MaxEventBytes >> 20} MiB");
        }

        if (needed > _data.Length)
        {
            Array.Resize(ref _data, Math.Max(needed, Math.Max(512, _data.Length * 2)));
        }

        if (_hasData)
        {
            _data[_dataLength++] = (byte)'\n';
        }

        value.CopyTo(_data.AsSpan(_dataLength));
        _dataLength += value.Length;
        _hasData = true;
    }
}
