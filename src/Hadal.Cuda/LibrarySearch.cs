using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>Looks for one of the driver's libraries where drivers put them, and remembers where it looked.</summary>
internal sealed class LibrarySearch
{
    private static readonly string[] _folders = ["/usr/local/nvidia/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib"];

    internal LibrarySearch(string name)
        : this(name, _folders)
    {
    }

    internal LibrarySearch(string name, ReadOnlySpan<string> folders)
    {
        Name = name;
        var looked = new List<string>();
        if (NativeLibrary.TryLoad(name, out nint handle))
        {
            Handle = handle;
            Looked = name + " (found by the system's loader)";
            return;
        }

        looked.Add(name + " through the system's loader (LD_LIBRARY_PATH, ld.so.cache): not found");
        foreach (string folder in folders)
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path))
            {
                looked.Add(path + ": no such file");
            }
            else if (NativeLibrary.TryLoad(path, out handle))
            {
                Handle = handle;
                Looked = path;
                return;
            }
            else
            {
                looked.Add(path + ": there, but it does not load");
            }
        }

        Looked = string.Join("; ", looked);
    }

    internal string Name { get; }

    /// <summary>0 where the library was not found.</summary>
    internal nint Handle { get; }

    /// <summary>Where it was found, or all the places in which it was not.</summary>
    internal string Looked { get; }
}
