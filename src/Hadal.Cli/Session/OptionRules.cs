using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Hadal.Cli.Session;

/// <summary>What an option takes, checked with the command line, before anything is loaded.</summary>
internal static class OptionRules
{
    public static void OneOf(this Option option, params string[] allowed)
    {
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                if (!allowed.Contains(token.Value, StringComparer.Ordinal))
                {
                    result.AddError($"{option.Name} {token.Value}: allowed is {string.Join(", ", allowed)}");
                }
            }
        });
    }

    /// <summary>For a folder that may not be there yet.</summary>
    public static void IsFolder(this Option option)
    {
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                if (string.IsNullOrWhiteSpace(token.Value))
                {
                    result.AddError($"{option.Name} '{token.Value}': allowed is the path of a folder");
                }
                else if (File.Exists(token.Value))
                {
                    result.AddError($"{option.Name} {token.Value}: is a file; allowed is a folder, which is made if it is not there");
                }
            }
        });
    }

    /// <summary>For whole numbers, one or a comma-separated list of them.</summary>
    public static void InRange(this Option option, int min, int max = int.MaxValue)
    {
        option.Validators.Add(result =>
        {
            foreach (string part in result.Tokens.SelectMany(t => t.Value.Split(',')))
            {
                if (int.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int n) && (n < min || n > max))
                {
                    result.AddError($"{option.Name} {part}: allowed is {(max == int.MaxValue ? $"{min} and more" : $"{min} to {max}")}");
                }
            }
        });
    }
    /// <summary>For a number that need not be whole.</summary>
    public static void InRange(this Option option, double min, double max)
    {
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                // What is no number at all has its error from the parser.
                if (double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double n) && !(n >= min && n <= max))
                {
                    result.AddError($"{option.Name} {token.Value}: allowed is {min} to {max}");
                }
            }
        });
    }
}
