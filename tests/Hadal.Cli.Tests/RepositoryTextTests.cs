using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Hadal.Cli.Tests;

/// <summary>What is committed names no machine: no folders of one, nobody's address, no package feed but the public ones.</summary>
public sealed partial class RepositoryTextTests
{
    [Fact]
    public async Task TrackedFiles_NameNoMachine()
    {
        var found = new List<string>();
        int read = 0;
        foreach (string file in await TrackedAsync())
        {
            string path = Path.Combine(Repository.Root, file);
            byte[] bytes = File.Exists(path) ? await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken) : [];
            if (bytes.AsSpan(0, Math.Min(bytes.Length, 8000)).Contains((byte)0))
            {
                continue;
            }

            read++;
            string[] lines = Encoding.UTF8.GetString(bytes).Split('\n');
            for (int i = 0; i < lines.Length; i++)
            {
                foreach (Match m in Machine().Matches(lines[i]).Where(m => !Allowed().IsMatch(m.Value)))
                {
                    found.Add($"{file}:{i + 1}: {m.Value}");
                }
            }
        }

        Assert.True(read > 100, $"only {read} files of text");
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Theory]
    [InlineData("see /work" + "/x", true)]
    [InlineData("in /home" + "/someone/src", true)]
    [InlineData("/root" + "/.nuget", true)]
    [InlineData("mail someone" + "@company.com", true)]
    [InlineData("https://nexu" + "s.corp.net/repository/npm", true)]
    [InlineData("https://api.nuget.org/v3/index.json", false)]
    [InlineData("at https://networkx.org/work/", false)]
    [InlineData("git@github.com:x/y.git", false)]
    [InlineData("someone@example.com", false)]
    public void Patterns_FindWhatTheyShould(string text, bool isFound)
        => Assert.Equal(isFound, Machine().Matches(text).Any(m => !Allowed().IsMatch(m.Value)));

    private static async Task<string[]> TrackedAsync()
    {
        Process? git = null;
        try
        {
            git = HadalProcess.StartOther("git", "-C", Repository.Root, "ls-files", "-z");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("there is no git");
        }

        using (git)
        {
            HadalProcess end = await HadalProcess.EndAsync(git!);
            Assert.SkipWhen(end.ExitCode != 0, "this is no git checkout: " + end.Error);
            return end.Output.Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    /// <summary>A folder of a machine, an address of a person, or the host of a package feed.</summary>
    [GeneratedRegex("""
        (?<![\w.\-])/(work|home|root)/[\w.\-]*
        |[\w.+\-]+@[\w\-]+(\.[\w\-]+)*\.[a-z]{2,}\b
        |https?://[\w.\-]*(nuget|nexus|artifactory|npmjs|npm|pypi|registry|jfrog|pkgs)[\w.\-]*
        |https?://[\w.\-]+/(repository|artifactory)/
        """, RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex Machine();

    [GeneratedRegex("""
        @([\w\-]+\.)*example(\.\w+)?$|^git@github\.com$
        |^https://(api|www)\.nuget\.org|^https://(registry|www)\.npmjs\.(org|com)|^https://(files\.)?(pypi|pythonhosted)\.org
        """, RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex Allowed();
}
