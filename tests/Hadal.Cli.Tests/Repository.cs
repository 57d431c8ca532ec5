namespace Hadal.Cli.Tests;

/// <summary>Where things lie: the repository is found from the test's own folder.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string Goldens => Path.Combine(Root, "tests", "goldens");

    public static string Model(string family) => Path.Combine(Goldens, "models", family);

    private static string Find()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
        {
            if (File.Exists(Path.Combine(d.FullName, "Hadal.slnx")))
            {
                return d.FullName;
            }
        }

        throw new InvalidOperationException("these tests run from within the repository");
    }
}
