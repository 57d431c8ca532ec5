using System.Text.RegularExpressions;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Lora;

/// <summary>A pattern over module names, as PEFT reads them. Patterns come from a file, so that the time they may take is bounded.</summary>
internal sealed class LoraPattern
{
    private const int MaxChars = 4096;
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(200);

    private readonly Regex _regex;
    private readonly string _where;

    private LoraPattern(string text, string pattern, string where)
    {
        _where = where;
        if (text.Length > MaxChars)
        {
            throw new HadalException($"{where} has a pattern of {text.Length} characters; at most {MaxChars} are taken.");
        }

        try
        {
            _regex = new Regex(pattern, RegexOptions.CultureInvariant, _patience);
        }
        catch (ArgumentException e)
        {
            throw new HadalException($"{where} has {HostileText.Quote(text)}, which is no regular expression: {e.Message}", e);
        }
    }

    /// <summary>A key of rank_pattern or alpha_pattern: a name's end, from a dot on, or an expression for it.</summary>
    public static LoraPattern End(string text, string where) => new(text, $@"\A(?:.*\.)?(?:{text})\z", where);

    /// <summary>target_modules given as one string: an expression for whole names.</summary>
    public static LoraPattern Whole(string text, string where) => new(text, $@"\A(?:{text})\z", where);

    public bool Matches(string name)
    {
        try
        {
            return _regex.IsMatch(name);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new HadalException($"{_where}: a pattern took more than {_patience.TotalMilliseconds} ms on one name; write it simpler.", e);
        }
    }
}
