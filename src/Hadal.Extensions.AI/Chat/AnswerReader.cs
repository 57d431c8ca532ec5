using System.Text;
using Hadal.Engine;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>Parts an answer's thinking from what it says, as its events come.</summary>
internal sealed class AnswerReader
{
    private readonly LanguageModel _model;
    private readonly ReasoningSplitter? _splitter;
    private readonly bool _hideSpecialTokens;
    private readonly int _openId = -2;
    private readonly int _closeId = -2;
    private readonly ToolCallParser? _parser;
    private readonly IReadOnlyList<string> _toolMarkers;
    private readonly bool _takesSeveral;
    private readonly StringBuilder _arguments = new();
    private (string Id, string Name)? _call;
    private bool _openSeen;
    private bool _closeSeen;

    public AnswerReader(LanguageModel model, ReasoningStart? start, bool hideSpecialTokens, ToolSettings? tools)
    {
        _model = model;
        _hideSpecialTokens = hideSpecialTokens;
        _parser = tools?.Format.CreateParser();
        _toolMarkers = tools?.Format.Markers ?? [];
        _takesSeveral = tools?.AllowsSeveral ?? true;
        if (start is null || model.ReasoningMarkers is not { } markers)
            return;
        _splitter = new ReasoningSplitter(markers, start.Value);
        _openId = model.Tokenizer.TryGetId(markers.Open, out int open) ? open : -2;
        _closeId = model.Tokenizer.TryGetId(markers.Close, out int close) ? close : -2;
    }

    /// <summary>The markers are special tokens, which the engine leaves out of texts unless told not to.</summary>
    public static bool MarkersAreSpecial(LanguageModel model, ToolCallFormat? format) =>
        format is not null && format.Markers.Any(marker => model.Tokenizer.TryGetId(marker, out int id) && model.Tokenizer.IsSpecial(id))
        || model.ReasoningMarkers is { } markers
        && (model.Tokenizer.TryGetId(markers.Open, out int open) && model.Tokenizer.IsSpecial(open)
            || model.Tokenizer.TryGetId(markers.Close, out int close) && model.Tokenizer.IsSpecial(close));

    /// <summary>Tokens of the thinking, markers included.</summary>
    public int ReasoningTokens { get; private set; }

    /// <summary>The answer has calls, and ended for them.</summary>
    public bool HasCalls => _parser is { NumCalls: > 0 };

    /// <param name="e">The next event.</param>
    /// <param name="calls">Calls that are whole now.</param>
    public TextDelta Append(GenerationEvent e, out IReadOnlyList<FunctionCallContent> calls)
    {
        TextDelta delta = Split(e);
        calls = [];
        if (_parser is null)
            return delta;
        var whole = new List<FunctionCallContent>();
        string content = _parser.Append(delta.Content, out var pieces);
        Add(pieces, whole);
        if (e.FinishReason is not null)
        {
            content += _parser.Flush(out var last);
            Add(last, whole);
            EndCall(whole);
        }

        calls = whole;
        return delta with { Content = content };
    }

    private void Add(IReadOnlyList<ToolCallDelta> pieces, List<FunctionCallContent> whole)
    {
        foreach (ToolCallDelta piece in pieces)
        {
            if (!_takesSeveral && piece.Index > 0)
                continue;
            if (piece.Name is not null)
            {
                EndCall(whole);
                _call = (piece.Id!, piece.Name);
            }

            _arguments.Append(piece.Arguments);
        }
    }

    private void EndCall(List<FunctionCallContent> whole)
    {
        if (_call is not { } call)
            return;
        whole.Add(ToolJson.Call(call.Id, call.Name, _arguments.ToString()));
        _arguments.Clear();
        _call = null;
    }

    private TextDelta Split(GenerationEvent e)
    {
        string text = _hideSpecialTokens ? HideSpecialToken(e) : e.Text;
        if (_splitter is null)
            return new TextDelta("", text);

        // Text lags behind tokens while it may become a stop string, so a token's side goes by the markers' ids where they come as such.
        bool wasReasoning = _splitter.IsReasoning;
        _openSeen |= e.TokenId == _openId && _splitter.IsUndecided;
        var delta = _splitter.Append(text);
        bool isReasoning = !_closeSeen && (wasReasoning || _splitter.IsReasoning || _openSeen && _splitter.IsUndecided);
        _closeSeen |= e.TokenId == _closeId;
        if (isReasoning && e.TokenId >= 0)
            ReasoningTokens++;
        if (e.FinishReason is null)
            return delta;
        var rest = _splitter.Flush();
        return new TextDelta(delta.Reasoning + rest.Reasoning, delta.Content + rest.Content);
    }

    /// <summary>A special token always ends its event's text, since it completes any character before it.</summary>
    private string HideSpecialToken(GenerationEvent e)
    {
        if (e.TokenId < 0 || e.Text.Length == 0 || !_model.Tokenizer.IsSpecial(e.TokenId))
            return e.Text;
        string token = Encoding.UTF8.GetString(_model.Tokenizer.TokenBytes(e.TokenId).Span);
        bool isMarker = _model.ReasoningMarkers is { } markers && (token == markers.Open || token == markers.Close) || _toolMarkers.Contains(token);
        return !isMarker && e.Text.EndsWith(token, StringComparison.Ordinal) ? e.Text[..^token.Length] : e.Text;
    }
}
