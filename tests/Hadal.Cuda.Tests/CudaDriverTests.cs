using Hadal.Numerics;

namespace Hadal.Cuda.Tests;

public sealed class CudaDriverTests
{
    [Fact]
    public void Devices_WithoutADriver_SaysWhatWasLookedFor()
    {
        HadalException? e = Record.Exception(() => CudaDriver.Devices()) as HadalException;
        Assert.SkipWhen(e is null, "there is a GPU here");
        Assert.Contains("libcuda.so.1", e!.Message, StringComparison.Ordinal);
        Assert.Contains("/dev", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingLibrary_OfALibraryNowhere_NamesEveryPlace()
    {
        var search = new LibrarySearch("libnowhere-hadal.so.1", ["/usr/lib64", "/usr/lib/wsl/lib"]);
        Assert.Equal(0, search.Handle);
        string message = CudaDriver.MissingLibrary(search, "/dev has no nvidia* device");
        foreach (string part in (string[])["libnowhere-hadal.so.1 through the system's loader", "/usr/lib64/libnowhere-hadal.so.1: no such file", "/usr/lib/wsl/lib/libnowhere-hadal.so.1", "Install NVIDIA's driver", "--gpus all", "/dev has no"])
        {
            Assert.Contains(part, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void MissingLibrary_OfAFileThatIsNoLibrary_SaysSo()
    {
        string folder = Directory.CreateTempSubdirectory("hadal-").FullName;
        File.WriteAllText(Path.Combine(folder, "libbroken-hadal.so.1"), "not a library");
        try
        {
            var search = new LibrarySearch("libbroken-hadal.so.1", [folder]);
            Assert.Equal(0, search.Handle);
            Assert.Contains("does not load", search.Looked, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
