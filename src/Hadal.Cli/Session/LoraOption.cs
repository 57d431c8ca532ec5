using System.CommandLine;
using System.CommandLine.Parsing;
using Hadal.Formats.Lora;

namespace Hadal.Cli.Session;

/// <summary><c>--lora NAME=PATH</c>, as often as one likes.</summary>
internal sealed class LoraOption
{
    private readonly Option<string[]> _option = new("--lora")
    {
        Description = "A LoRA adapter that requests may ask for as model NAME: a folder with adapter_config.json and adapter_model.safetensors, as PEFT writes them; may be given more than once",
        HelpName = "NAME=PATH",
    };

    public LoraOption(Command command)
    {
        _option.Validators.Add(result =>
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (Token token in result.Tokens)
            {
                if (Split(token.Value) is not { } adapter)
                {
                    result.AddError($"--lora {token.Value}: expected NAME=PATH");
                }
                else if (!names.Add(adapter.Name))
                {
                    result.AddError($"--lora {token.Value}: the name {adapter.Name} is given twice");
                }
            }
        });
        command.Options.Add(_option);
    }

    public bool IsGiven(ParseResult parsed) => parsed.GetValue(_option) is { Length: > 0 };

    /// <summary>The adapters' files; the caller disposes them once the model is loaded.</summary>
    public List<LoraFile> Open(ParseResult parsed)
    {
        var files = new List<LoraFile>();
        try
        {
            foreach (string text in parsed.GetValue(_option) ?? [])
            {
                (string name, string path) = Split(text)!.Value;
                files.Add(LoraFile.Open(name, path));
            }

            return files;
        }
        catch
        {
            files.ForEach(f => f.Dispose());
            throw;
        }
    }

    private static (string Name, string Path)? Split(string text)
        => text.IndexOf('=', StringComparison.Ordinal) is > 0 and int at && at < text.Length - 1 ? (text[..at], text[(at + 1)..]) : null;
}
