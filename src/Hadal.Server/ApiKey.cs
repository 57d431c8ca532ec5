using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hadal.Numerics;

namespace Hadal.Server;

/// <summary>What a key may do. The key itself is never held: only its SHA-256, which says nothing of a key that was drawn at random.</summary>
public sealed record ApiKey
{
    private const string HashPrefix = "sha256:";
    private const string KeyPrefix = "hadal-";
    private const int NumKeyBytes = 32;

    /// <summary>For logs, metrics and fair shares; never the key.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the key's UTF-8.</summary>
    public required ReadOnlyMemory<byte> Hash { get; init; }

    /// <summary>The most urgent class its requests may have, and the one they have unless they ask for another; the lower, the more urgent.</summary>
    public int Priority { get; init; }

    /// <summary>Null for no limit.</summary>
    public int? RequestsPerMinute { get; init; }

    /// <summary>Prompts and answers together; null for no limit.</summary>
    public int? TokensPerMinute { get; init; }

    /// <summary>A key in clear.</summary>
    /// <exception cref="HadalException">It is empty, or not what an Authorization header can carry.</exception>
    public static ApiKey Of(string key, string name)
    {
        if (key.Length == 0 || key.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw new HadalException($"The API key '{name}' is empty or has a character in it that is no visible ASCII; an Authorization header could not carry it.");
        return new ApiKey { Name = name, Hash = SHA256.HashData(Encoding.UTF8.GetBytes(key)) };
    }

    /// <summary>
    /// A line of a key file: <c>KEY</c> or <c>sha256:HEX</c>, then any of <c>name=…</c>, <c>priority=N</c>, <c>requests-per-minute=N</c>, <c>tokens-per-minute=N</c>.
    /// </summary>
    /// <param name="line">Not empty, no comment.</param>
    /// <param name="defaultName">Used where the line names none.</param>
    /// <exception cref="HadalException">The line can't be read. The message holds no part of the key.</exception>
    public static ApiKey Parse(string line, string defaultName)
    {
        string[] parts = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        ApiKey key = parts[0].StartsWith(HashPrefix, StringComparison.Ordinal) ? OfHash(parts[0][HashPrefix.Length..], defaultName) : Of(parts[0], defaultName);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string part in parts.AsSpan(1))
        {
            int at = part.IndexOf('=', StringComparison.Ordinal);
            string setting = at < 0 ? part : part[..at];
            string value = at < 0 ? "" : part[(at + 1)..];
            if (!seen.Add(setting))
                throw new HadalException($"API key '{defaultName}': '{setting}' is given twice.");
            key = setting switch
            {
                "name" when value.Length is > 0 and <= 64 => key with { Name = value },
                "priority" => key with { Priority = Number(defaultName, setting, value, -1000, 1000) },
                "requests-per-minute" => key with { RequestsPerMinute = Number(defaultName, setting, value, 1, int.MaxValue) },
                "tokens-per-minute" => key with { TokensPerMinute = Number(defaultName, setting, value, 1, int.MaxValue) },

                // Not quoted: where a key has a space in it by mistake, this is half of it.
                _ => throw new HadalException($"API key '{defaultName}': something behind the key is none of name=TEXT (64 characters at most), priority=N, requests-per-minute=N and tokens-per-minute=N."),
            };
        }

        return key;
    }

    /// <summary>The keys of a file or an environment variable: one a line or between commas; empty lines and lines that begin with # are skipped.</summary>
    /// <param name="text">The content.</param>
    /// <param name="separators">Between entries.</param>
    /// <exception cref="HadalException">A line can't be read, or two are the same key or name.</exception>
    public static IReadOnlyList<ApiKey> ParseAll(string text, params ReadOnlySpan<char> separators)
    {
        var keys = new List<ApiKey>();
        int number = 0;
        foreach (string entry in text.Split(separators.ToArray(), StringSplitOptions.TrimEntries))
        {
            number++;
            if (entry.Length == 0 || entry[0] == '#')
                continue;
            ApiKey key = Parse(entry, $"key-{number.ToString(CultureInfo.InvariantCulture)}");
            foreach (ApiKey other in keys)
            {
                if (other.Hash.Span.SequenceEqual(key.Hash.Span) || other.Name == key.Name)
                    throw new HadalException($"API keys '{other.Name}' and '{key.Name}' are the same key, or have the same name; each must be one of its own.");
            }

            keys.Add(key);
        }

        return keys;
    }

    /// <summary>Draws a key: what the client gets, and the line for the server's file, which holds only its hash.</summary>
    public static (string Key, string Line) Draw(string? name)
    {
        string key = KeyPrefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(NumKeyBytes));
        string line = HashPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        return (key, name is null ? line : $"{line} name={name}");
    }

    private static ApiKey OfHash(string hex, string name)
    {
        if (hex.Length != SHA256.HashSizeInBytes * 2 || !hex.All(char.IsAsciiHexDigit))
            throw new HadalException($"API key '{name}': 64 hexadecimal digits are expected behind sha256:.");
        return new ApiKey { Name = name, Hash = Convert.FromHexString(hex) };
    }

    private static int Number(string name, string setting, string value, int min, int max) =>
        int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= min && number <= max
            ? number
            : throw new HadalException(string.Create(CultureInfo.InvariantCulture, $"API key '{name}': {setting} must be a whole number from {min} to {max}."));
}
