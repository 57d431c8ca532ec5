using System.Collections.Concurrent;
using Hadal.Formats.Tokenization;

namespace Hadal.Formats.Tests.Tokenization;

/// <summary>Each tokenizer is loaded once for all tests.</summary>
internal static class GoldenTokenizers
{
    private static readonly ConcurrentDictionary<string, Lazy<BpeTokenizer>> Loaded = new();

    public static BpeTokenizer Get(string name) => Loaded.GetOrAdd(
        name, static n => new(() => TokenizerLoader.FromFolder(n == "demo" ? TestFiles.Demo : TestFiles.Tokenizer(n)))).Value;
}
