using Hadal.Numerics;

namespace Hadal.Cli.Jsonl;

/// <summary>
/// A file of JSON lines that grows by whole lines and can be gone on with: what an earlier run left torn at its end is cut off, and a line that does not fit
/// on the disk is taken back. Not thread-safe.
/// </summary>
internal sealed class JsonLinesOutput : IDisposable
{
    // What is lost by a power failure is at most this old; a process that is killed loses nothing that was appended.
    private static readonly TimeSpan _syncInterval = TimeSpan.FromSeconds(2);

    private readonly string _name;
    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private long _lastSync;
    private byte[] _line = [];

    /// <param name="stream">Readable, writable, seekable; disposed with this.</param>
    /// <param name="name">For messages.</param>
    /// <param name="time">Clock of syncing.</param>
    public JsonLinesOutput(Stream stream, string name, TimeProvider? time = null)
    {
        _stream = stream;
        _name = name;
        _time = time ?? TimeProvider.System;
        _lastSync = _time.GetTimestamp();
        CutTornLine();
    }

    /// <summary>Whole lines in the file.</summary>
    public long NumLines { get; private set; }

    /// <summary>Bytes that an earlier run had begun a line with; they are gone.</summary>
    public long NumTornBytes { get; private set; }

    /// <summary>Opens the file, or makes it. Nobody else may write it meanwhile.</summary>
    public static JsonLinesOutput Open(string path)
    {
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        try
        {
            return new JsonLinesOutput(stream, path);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The lines that are there, from the first.</summary>
    public IEnumerable<byte[]> ReadLines()
    {
        _stream.Position = 0;
        foreach (byte[] line in new JsonLinesInput(_stream).ReadAll())
        {
            yield return line;
        }

        _stream.Position = _stream.Length;
    }

    /// <summary>Adds a line.</summary>
    /// <param name="json">Without its newline.</param>
    /// <exception cref="HadalException">The disk is full or fails; the lines before this one are whole.</exception>
    public void Append(ReadOnlySpan<byte> json)
    {
        if (_line.Length < json.Length + 1)
        {
            _line = new byte[Math.Max(json.Length + 1, 2 * _line.Length)];
        }

        json.CopyTo(_line);
        _line[json.Length] = (byte)'\n';
        long whole = _stream.Length;
        try
        {
            _stream.Position = whole;
            _stream.Write(_line, 0, json.Length + 1);
            _stream.Flush();
            if (_time.GetElapsedTime(_lastSync) > _syncInterval)
            {
                Sync();
            }
        }
        catch (IOException e)
        {
            TakeBack(whole);
            throw new HadalException($"{_name}: a line of {json.Length + 1} bytes could not be written: {e.Message} The {NumLines} lines before it are whole. Make room, and run the same command again: it goes on from there.", e);
        }

        NumLines++;
    }

    /// <summary>Has the disk keep all lines.</summary>
    public void Sync()
    {
        _lastSync = _time.GetTimestamp();
        if (_stream is FileStream file)
        {
            file.Flush(flushToDisk: true);
        }
    }

    public void Dispose() => _stream.Dispose();

    private void TakeBack(long length)
    {
        try
        {
            _stream.SetLength(length);
        }
        catch (Exception e) when (e is IOException or NotSupportedException)
        {
            // The next run cuts what is torn.
        }
    }

    private void CutTornLine()
    {
        byte[] buffer = new byte[64 << 10];
        long end = 0;
        long at = 0;
        _stream.Position = 0;
        while (_stream.Read(buffer) is > 0 and int n)
        {
            NumLines += buffer.AsSpan(0, n).Count((byte)'\n');
            int last = buffer.AsSpan(0, n).LastIndexOf((byte)'\n');
            end = last >= 0 ? at + last + 1 : end;
            at += n;
        }

        NumTornBytes = at - end;
        if (NumTornBytes > 0)
        {
            _stream.SetLength(end);
        }

        _stream.Position = end;
    }
}
