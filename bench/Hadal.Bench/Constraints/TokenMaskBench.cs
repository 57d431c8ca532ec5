using System.Text.Json.Nodes;
using BenchmarkDotNet.Attributes;
using Hadal.Engine.Constraints;
using Hadal.Formats.Tokenization;

namespace Hadal.Bench.Constraints;

/// <summary>
/// What a constrained answer costs per token beside the model, on DeepSeek-V3's vocabulary of 128k tokens: its mask, taking in the token that came, and
/// banning what the mask does not allow. The tokenizer comes from eng/fetch-tokenizers.sh.
/// </summary>
public class TokenMaskBench
{
    private const string Schema = """
        {"type":"object","properties":{"title":{"type":"string"},"year":{"type":"integer","minimum":1000,"maximum":2999},"tags":{"type":"array","items":{"type":"string"},"maxItems":8},
        "cast":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string","maxLength":80},"role":{"enum":["lead","support","extra"]},"since":{"type":"string","format":"date"}},"required":["name","role"],"additionalProperties":false}},
        "rating":{"type":"number"},"more":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["title","year","cast"],"additionalProperties":false}
        """;

    private const string Answer = """
        {"title": "The long way down, or: how I stopped worrying", "year": 1987, "tags": ["drama", "deep sea", "slow"], "cast": [{"name": "Ada Lovelace-Smith", "role": "lead", "since": "1986-02-11"},
        """ + " " + """
        {"name": "Grace H. O'Malley", "role": "support"}, {"name": "José \"Pepe\" Ñandú", "role": "extra"}], "rating": 8.25, "more": null}
        """;

    private TokenVocabulary _vocabulary = null!;
    private Grammar _grammar = null!;
    private int[] _tokens = [];
    private ITokenConstraint _constraint = null!;
    private int _next;
    private uint[] _mask = [];
    private float[] _logits = [];

    [GlobalSetup]
    public void Setup()
    {
        BpeTokenizer tokenizer = TokenizerLoader.FromFolder(Folder("deepseek_v3"));
        _vocabulary = new TokenVocabulary(tokenizer, [tokenizer.EosTokenId!.Value]);
        _grammar = Compile();
        _tokens = tokenizer.Encode(Answer.Trim());
        _constraint = _grammar.CreateConstraint();
        foreach (int token in _tokens)
        {
            if (!TokenMask.IsAllowed(_constraint.Mask(), token))
                throw new InvalidOperationException($"the answer is not of the schema at token {token}");
            _constraint.Accept(token);
        }

        _constraint = _grammar.CreateConstraint();
        _mask = _constraint.Mask().ToArray();
        _logits = new float[_vocabulary.NumTokens];
    }

    /// <summary>One token of an answer in JSON after another; states are known from earlier answers.</summary>
    [Benchmark(Baseline = true)]
    public bool MaskAndAccept()
    {
        if (_next == _tokens.Length)
        {
            _next = 0;
            _constraint = _grammar.CreateConstraint();
        }

        bool isAllowed = TokenMask.IsAllowed(_constraint.Mask(), _tokens[_next]);
        _constraint.Accept(_tokens[_next++]);
        return isAllowed;
    }

    /// <summary>All of the answer with a schema never seen before: its compilation, and the masks of every state it meets.</summary>
    [Benchmark]
    public int FirstAnswer()
    {
        ITokenConstraint constraint = Compile().CreateConstraint();
        int count = 0;
        foreach (int token in _tokens)
        {
            count += TokenMask.IsAllowed(constraint.Mask(), token) ? 1 : 0;
            constraint.Accept(token);
        }

        return count;
    }

    [Benchmark]
    public int CompileSchema() => Compile().NumStates;

    [Benchmark]
    public void BanTokens() => TokenMask.Apply(_mask, _logits);

    /// <summary>What masks would cost without the tree: every token's bytes compared with what may come, here by their first byte alone.</summary>
    [Benchmark]
    public int EveryTokenOnce()
    {
        int count = 0;
        for (int id = 0; id < _vocabulary.Tokenizer.VocabSize; id++)
            count += _vocabulary.Tokenizer.TokenBytes(id).Span is [(byte)'"', ..] ? 1 : 0;
        return count;
    }

    private Grammar Compile() => new GrammarCompiler(_vocabulary).JsonSchema(JsonNode.Parse(Schema));

    private static string Folder(string name)
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Hadal.slnx")))
            root = Path.GetDirectoryName(root);
        string folder = Path.Combine(root ?? ".", "artifacts", "test-data", "tokenizers", name);
        return Directory.Exists(folder) ? folder : throw new DirectoryNotFoundException($"{folder} is absent: run eng/fetch-tokenizers.sh first.");
    }
}
