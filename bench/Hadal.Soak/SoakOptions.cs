using System.Globalization;

namespace Hadal.Soak;

/// <summary>The command line: --name value, nothing else.</summary>
internal sealed record SoakOptions
{
    public Uri Url { get; private init; } = new("http://127.0.0.1:8000");

    public string Model { get; private init; } = "hadal-demo";

    /// <summary>Of the server, for its memory and handles.</summary>
    public int Pid { get; private init; }

    /// <summary>Clients that read what they get.</summary>
    public int Clients { get; private init; } = 1000;

    /// <summary>Clients that read a little now and then.</summary>
    public int Slow { get; private init; } = 10;

    /// <summary>Clients that read nothing.</summary>
    public int Stalled { get; private init; } = 10;

    /// <summary>Clients that go without a word amid their answers.</summary>
    public int Vanishing { get; private init; } = 10;

    public int Seconds { get; private init; } = 60;

    public int MaxTokens { get; private init; } = 64;

    public static SoakOptions Parse(string[] args)
    {
        var options = new SoakOptions();
        for (int i = 0; i < args.Length; i += 2)
        {
            string value = i + 1 < args.Length ? args[i + 1] : throw new ArgumentException($"{args[i]} needs a value", nameof(args));
            options = args[i] switch
            {
                "--url" => options with { Url = new Uri(value) },
                "--model" => options with { Model = value },
                "--pid" => options with { Pid = Number(value) },
                "--clients" => options with { Clients = Number(value) },
                "--slow" => options with { Slow = Number(value) },
                "--stalled" => options with { Stalled = Number(value) },
                "--vanishing" => options with { Vanishing = Number(value) },
                "--seconds" => options with { Seconds = Number(value) },
                "--max-tokens" => options with { MaxTokens = Number(value) },
                _ => throw new ArgumentException($"there is no option {args[i]}", nameof(args)),
            };
        }

        return options;
    }

    private static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
