using System.Text;
using Hadal.Engine;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Tokenization;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>The text of one choice of a chat answer, as its events come.</summary>
internal sealed class ChatChoice(ChatRequest request)
{
    private readonly ITokenizer _tokenizer = request.Model.Tokenizer;
    private readonly ReasoningMarkers? _markers = request.Model.ReasoningMarkers;
    private readonly ReasoningSplitter? _splitter =
        request.Start is { } start && request.Model.ReasoningMarkers is { } markers ? new ReasoningSplitter(markers, start) : null;

    private readonly ToolCallParser? _parser = request.Tools?.Format.CreateParser();
    private readonly IReadOnlyList<string> _toolMarkers = request.Tools?.Format.Markers ?? [];
    private readonly bool _takesSeveral = request.Tools?.AllowsSeveral ?? true;
    private readonly int _openId = IdOf(request, markers => markers.Open);
    private readonly int _closeId = IdOf(request, markers => markers.Close);
    private bool _openSeen;
    private bool _closeSeen;

    /// <summary>Tokens of the thinking, markers included: they are no part of the content.</summary>
    public int ReasoningTokens { get; private set; }

    /// <summary>Whether the token last appended belongs to the thinking.</summary>
    public bool LastIsReasoning { get; private set; }

    /// <summary>Pieces of tool calls that the event last appended made certain.</summary>
    public IReadOnlyList<ToolCallDelta> Calls { get; private set; } = [];

    /// <summary>Why the answer ended, as the API says it: an answer that calls tools and ended by itself ended for that.</summary>
    public string FinishReasonName(FinishReason reason) =>
        reason == FinishReason.Stop && _parser is { NumCalls: > 0 } ? "tool_calls" : TokenJson.FinishReasonName(reason);

    public TextDelta Append(GenerationEvent e)
    {
        TextDelta delta = Split(e);
        if (_parser is null)
            return delta;
        string content = _parser.Append(delta.Content, out var calls);
        if (e.FinishReason is not null)
        {
            content += _parser.Flush(out var last);
            calls = [.. calls, .. last];
        }

        Calls = _takesSeveral ? calls : [.. calls.Where(call => call.Index == 0)];
        return delta with { Content = content };
    }

    private TextDelta Split(GenerationEvent e)
    {
        string text = request.HideSpecialTokens ? HideSpecialToken(e) : e.Text;
        if (_splitter is null)
            return new TextDelta("", text);

        // Text lags behind tokens while it may become a stop string, so the token's side goes by the markers' ids where they come as such.
        bool wasReasoning = _splitter.IsReasoning;
        _openSeen |= e.TokenId == _openId && _splitter.IsUndecided;
        var delta = _splitter.Append(text);
        LastIsReasoning = !_closeSeen && (wasReasoning || _splitter.IsReasoning || _openSeen && _splitter.IsUndecided);
        _closeSeen |= e.TokenId == _closeId;
        if (LastIsReasoning && e.TokenId >= 0)
            ReasoningTokens++;
        if (e.FinishReason is null)
            return delta;
        var rest = _splitter.Flush();
        return new TextDelta(delta.Reasoning + rest.Reasoning, delta.Content + rest.Content);
    }

    /// <summary>-2 where there is none: no event has that token.</summary>
    private static int IdOf(ChatRequest request, Func<ReasoningMarkers, string> marker) =>
        request.Model.ReasoningMarkers is { } markers && request.Model.Tokenizer.TryGetId(marker(markers), out int id) ? id : -2;

    /// <summary>
    /// Takes a special token's own text off its event. By id, so that the same letters spelt by ordinary tokens stay; and a special token
    /// always ends its event's text, since it completes any character before it.
    /// </summary>
    private string HideSpecialToken(GenerationEvent e)
    {
        if (e.TokenId < 0 || e.Text.Length == 0 || !_tokenizer.IsSpecial(e.TokenId))
            return e.Text;
        string token = Encoding.UTF8.GetString(_tokenizer.TokenBytes(e.TokenId).Span);
        bool isMarker = token == _markers?.Open || token == _markers?.Close || _toolMarkers.Contains(token);
        return !isMarker && e.Text.EndsWith(token, StringComparison.Ordinal) ? e.Text[..^token.Length] : e.Text;
    }
}
