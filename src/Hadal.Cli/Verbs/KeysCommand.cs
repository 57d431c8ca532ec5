using System.CommandLine;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal keys</c>: API keys for <c>hadal serve</c>.</summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var command = new Command("keys", "Make API keys for hadal serve.");
        var create = new Command("new", """
            Draw a key of 256 random bits: the key for the client on standard output, and on standard error the line for the server's file, which holds only its hash.

            Examples:
              hadal keys new --name alice >alice.key 2>>server.keys
              hadal serve --api-keys server.keys --host '*'
            """);
        var name = new Option<string?>("--name") { Description = "What logs call it", HelpName = "NAME" };
        name.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && (text.Length is 0 or > 64 || text.Any(c => char.IsWhiteSpace(c) || c == ',')))
            {
                result.AddError($"--name {text}: expected 1 to 64 characters without spaces and commas");
            }
        });
        create.Options.Add(name);
        create.SetAction(parsed =>
        {
            (string key, string line) = Server.ApiKey.Draw(parsed.GetValue(name));
            Console.Out.WriteLine(key);
            Console.Error.WriteLine(line);
        });
        command.Subcommands.Add(create);
        return command;
    }
}
