using System.Xml.Linq;

namespace Hadal.Cli.Tests;

/// <summary>The rooms know each other in one direction only (docs/architecture.md).</summary>
public sealed class ArchitectureTests
{
    private static readonly string[] _order =
    [
        "Hadal.Numerics", "Hadal.Jit", "Hadal.Cuda", "Hadal.Kernels", "Hadal.Formats", "Hadal.Graph", "Hadal.Models", "Hadal.Engine", "Hadal.Optimize", "Hadal.Demo", "Hadal.Extensions.AI", "Hadal.Server", "Hadal.Cli",
    ];

    private static readonly Dictionary<string, string[]> _mayKnow = new(StringComparer.Ordinal)
    {
        ["Hadal.Numerics"] = [],
        ["Hadal.Jit"] = ["Hadal.Numerics"],
        ["Hadal.Cuda"] = ["Hadal.Numerics"],
        ["Hadal.Kernels"] = ["Hadal.Numerics", "Hadal.Jit", "Hadal.Cuda"],
        ["Hadal.Formats"] = ["Hadal.Numerics"],
        ["Hadal.Graph"] = ["Hadal.Numerics", "Hadal.Jit", "Hadal.Cuda", "Hadal.Kernels"],
        ["Hadal.Models"] = ["Hadal.Numerics", "Hadal.Jit", "Hadal.Kernels", "Hadal.Formats", "Hadal.Graph"],
        ["Hadal.Engine"] = ["Hadal.Numerics", "Hadal.Jit", "Hadal.Kernels", "Hadal.Formats", "Hadal.Graph", "Hadal.Models"],
        ["Hadal.Optimize"] = ["Hadal.Numerics", "Hadal.Jit", "Hadal.Kernels", "Hadal.Formats", "Hadal.Graph", "Hadal.Models", "Hadal.Engine"],
        ["Hadal.Demo"] = ["Hadal.Numerics", "Hadal.Formats"],
        ["Hadal.Extensions.AI"] = ["Hadal.Numerics", "Hadal.Formats", "Hadal.Graph", "Hadal.Models", "Hadal.Engine"],
        ["Hadal.Server"] = ["Hadal.Numerics", "Hadal.Formats", "Hadal.Engine"],
    };

    [Fact]
    public void References_OfEveryRoom_PointOneWay()
    {
        foreach (string project in Projects())
        {
            string name = Path.GetFileNameWithoutExtension(project);
            Assert.Contains(name, _order);
            string[] known = [.. XDocument.Load(project).Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')))];
            Assert.All(known, k => Assert.True(Array.IndexOf(_order, k) < Array.IndexOf(_order, name), $"{name} knows {k}, which stands above it"));
            if (_mayKnow.TryGetValue(name, out string[]? allowed))
            {
                Assert.All(known, k => Assert.True(allowed.Contains(k), $"{name} knows {k}"));
            }
        }
    }

    [Fact]
    public void UnsafeCode_IsAllowedOnlyWhereMemoryIsTheSubject()
    {
        string[] allowed = ["Hadal.Numerics", "Hadal.Jit", "Hadal.Cuda", "Hadal.Kernels", "Hadal.Formats", "Hadal.Graph"];
        foreach (string project in Projects())
        {
            bool unsafeBlocks = XDocument.Load(project).Descendants("AllowUnsafeBlocks").Any(e => e.Value == "true");
            Assert.True(!unsafeBlocks || allowed.Contains(Path.GetFileNameWithoutExtension(project)), $"{project} allows unsafe code");
        }
    }

    private static string[] Projects()
    {
        string[] projects = Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories);
        Assert.NotEmpty(projects);
        return projects;
    }
}
