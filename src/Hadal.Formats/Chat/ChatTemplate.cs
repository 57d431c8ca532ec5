using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Formats.Chat.Jinja;

namespace Hadal.Formats.Chat;

/// <summary>A chat template in Jinja, rendered as transformers' apply_chat_template renders it. Thread-safe.</summary>
/// <remarks>Templates know <c>messages</c>, <c>tools</c>, <c>documents</c>, <c>add_generation_prompt</c>, the special tokens by name, and the extra variables.</remarks>
public sealed class ChatTemplate : IChatTemplate
{
    private const int MaxSourceChars = 1 << 20;

    private readonly string _origin;
    private readonly JinjaStmt[] _body;
    private readonly IReadOnlyDictionary<string, string> _specialTokens;
    private readonly TimeProvider _time;

    /// <param name="specialTokens">Variables such as <c>bos_token</c>; see <see cref="Tokenization.TokenizerConfig.SpecialTokens"/>.</param>
    /// <param name="origin">Where the template comes from, for messages.</param>
    /// <param name="time">What strftime_now tells; the system's clock when null.</param>
    /// <exception cref="ChatTemplateException">The source is no template.</exception>
    public ChatTemplate(string source, IReadOnlyDictionary<string, string>? specialTokens = null, string origin = "chat template", TimeProvider? time = null)
    {
        Source = source;
        _origin = origin;
        _specialTokens = specialTokens ?? new Dictionary<string, string>();
        _time = time ?? TimeProvider.System;
        if (source.Length > MaxSourceChars) throw new ChatTemplateException($"{origin} has {source.Length} characters; at most {MaxSourceChars} are read.");
        try
        {
            _body = JinjaParser.Parse(source);
        }
        catch (JinjaException e)
        {
            throw new ChatTemplateException($"{origin}, line {e.Line}: {e.Message}. The template cannot be used; give another with the model's files.", e);
        }
    }

    public string Source { get; }

    public string Render(JsonArray messages, bool addGenerationPrompt, JsonArray? tools = null, JsonObject? extra = null)
    {
        var variables = new Dictionary<string, object?>();
        foreach ((string name, string token) in _specialTokens) variables[name] = token;
        try
        {
            foreach ((string name, JsonNode? value) in extra ?? []) variables[name] = FromJson(value);
            variables["messages"] = FromJson(messages);
            variables["tools"] = FromJson(tools);
            // transformers passes these two always: None, not undefined.
            variables.TryAdd("documents", null);
            variables["add_generation_prompt"] = addGenerationPrompt;
            return new JinjaInterpreter(_time).Render(_body, variables);
        }
        catch (JinjaException e) when (e.IsRaised)
        {
            throw new ChatTemplateException(e.Message, e) { IsRefusal = true };
        }
        catch (JinjaException e)
        {
            throw new ChatTemplateException($"{_origin}, line {e.Line}: {e.Message}.", e);
        }
        catch (ArgumentException e)
        {
            // JsonNode finds a repeated property only when it is looked at.
            throw new ChatTemplateException($"The messages, tools or variables are no valid JSON: {e.Message}", e);
        }
    }

    private static object? FromJson(JsonNode? node)
    {
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw new JinjaException("the messages are nested too deeply");
        switch (node)
        {
            case null:
                return null;
            case JsonArray array:
                var items = new List<object?>(array.Count);
                foreach (JsonNode? item in array) items.Add(FromJson(item));
                return new JinjaList(items);
            case JsonObject properties:
                var dict = new JinjaDict();
                foreach ((string key, JsonNode? value) in properties) dict.Items[key] = FromJson(value);
                return dict;
            default:
                return FromJson(node.AsValue());
        }
    }

    private static object? FromJson(JsonValue value)
    {
        switch (value.GetValueKind())
        {
            case JsonValueKind.String:
                return value.TryGetValue(out string? text) ? text : value.ToString();
            case JsonValueKind.True:
                return true;
            case JsonValueKind.False:
                return false;
            case JsonValueKind.Number:
                string number = value.ToJsonString();
                if (number.AsSpan().ContainsAny('.', 'e', 'E')) return double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
                if (long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer)) return integer;
                // Longer than any honest number: parsing takes quadratic time.
                if (number.Length > 1000) throw new JinjaException("a number has more than 1000 digits");
                return BigInteger.Parse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            default:
                return null;
        }
    }
}
