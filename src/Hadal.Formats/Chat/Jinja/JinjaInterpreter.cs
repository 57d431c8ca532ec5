using System.Runtime.CompilerServices;
using System.Text;

namespace Hadal.Formats.Chat.Jinja;

/// <summary>Renders one template once. Not thread-safe; one is made per rendering.</summary>
/// <remarks>
/// Values are null (None), bool, long, double, BigInteger (numbers of the input too large for long, which can only be printed),
/// string, <see cref="JinjaList"/>, <see cref="JinjaDict"/>, <see cref="JinjaNamespace"/>, <see cref="JinjaLoop"/>,
/// <see cref="JinjaFunction"/> and <see cref="JinjaUndefined"/>: a template can reach nothing else. It comes with a checkpoint,
/// from whoever made that, so steps, characters and depth are bounded.
/// Semantics: Jinja2 3.1 in an ImmutableSandboxedEnvironment with trim_blocks and lstrip_blocks and loop controls, as
/// transformers' chat_template_utils sets it up.
/// </remarks>
internal sealed partial class JinjaInterpreter
{
    /// <summary>The name under which filters of a block find its text; no template can write it.</summary>
    public const string Captured = "<captured>";

    private const int MaxSteps = 20_000_000;

    // All strings made, not only the output: 's ~ s' in a loop doubles. Half a gigabyte of UTF-16.
    private const long MaxChars = 256L << 20;

    // jinja2.sandbox.MAX_RANGE.
    private const long MaxRange = 100_000;

    private readonly TimeProvider _time;
    private readonly JinjaScope _globals = new(null);
    private StringBuilder _output = new();
    private int _stepsLeft = MaxSteps;
    private long _charsLeft = MaxChars;
    private int _line;

    public JinjaInterpreter(TimeProvider time)
    {
        _time = time;
        DefineGlobals();
    }

    private enum Flow
    {
        Next,
        Break,
        Continue,
    }

    public string Render(JinjaStmt[] body, IEnumerable<KeyValuePair<string, object?>> variables)
    {
        var scope = new JinjaScope(_globals);
        foreach ((string name, object? value) in variables) scope.Set(name, value);
        try
        {
            Execute(body, scope);
            return _output.ToString();
        }
        catch (JinjaException e) when (e.Line == 0)
        {
            throw new JinjaException(e.Message, e) { Line = _line, IsRaised = e.IsRaised };
        }
    }

    private void Step(int line)
    {
        _line = line;
        if (--_stepsLeft < 0) throw new JinjaException($"the template does more than {MaxSteps} steps");
        CheckStack();
    }

    /// <summary>Pays for making or searching a string.</summary>
    private void Charge(long chars)
    {
        _charsLeft -= chars;
        if (_charsLeft < 0) throw new JinjaException($"the template makes more than {MaxChars} characters of text");
    }

    /// <summary>Pays for a list or a walk over one.</summary>
    private void ChargeItems(long items)
    {
        if (items >= _stepsLeft) throw new JinjaException($"the template does more than {MaxSteps} steps");
        _stepsLeft -= (int)items;
    }

    private static void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw new JinjaException("values or calls are nested too deeply");
    }

    private Flow Execute(JinjaStmt[] body, JinjaScope scope)
    {
        foreach (JinjaStmt statement in body)
        {
            Flow flow = Execute(statement, scope);
            if (flow != Flow.Next) return flow;
        }

        return Flow.Next;
    }

    private Flow Execute(JinjaStmt statement, JinjaScope scope)
    {
        Step(statement.Line);
        switch (statement)
        {
            case JinjaStmt.Text text:
                Write(text.Value);
                break;
            case JinjaStmt.Print print:
                Write(ToText(Evaluate(print.Value, scope)));
                break;
            case JinjaStmt.If branch:
                foreach ((JinjaExpr test, JinjaStmt[] body) in branch.Branches)
                {
                    if (IsTrue(Evaluate(test, scope))) return Execute(body, scope);
                }

                return Execute(branch.Else, scope);
            case JinjaStmt.For loop:
                return ExecuteFor(loop, scope);
            case JinjaStmt.Set set:
                Assign(set.Target, Evaluate(set.Value, scope), scope);
                break;
            case JinjaStmt.SetBlock set:
                Assign(set.Target, CaptureFiltered(set.Body, set.Filters, scope), scope);
                break;
            case JinjaStmt.FilterBlock filter:
                Write(ToText(CaptureFiltered(filter.Body, filter.Filters, scope)));
                break;
            case JinjaStmt.With with:
                var inner = new JinjaScope(scope);
                foreach ((JinjaExpr target, JinjaExpr value) in with.Values) Assign(target, Evaluate(value, scope), inner);
                return Execute(with.Body, inner);
            case JinjaStmt.Macro macro:
                scope.Set(macro.Name, MakeMacro(macro, scope));
                break;
            case JinjaStmt.CallBlock call:
                object? callee = Evaluate(call.Call.Target, scope);
                JinjaCall arguments = EvaluateArguments(call.Call.Arguments, scope, NameOf(call.Call.Target));
                arguments.Named["caller"] = MakeMacro(call.Caller, scope);
                Write(ToText(Invoke(callee, arguments)));
                break;
            case JinjaStmt.Generation generation:
                return Execute(generation.Body, scope);
            case JinjaStmt.Break:
                return Flow.Break;
            case JinjaStmt.Continue:
                return Flow.Continue;
        }

        return Flow.Next;
    }

    private Flow ExecuteFor(JinjaStmt.For loop, JinjaScope scope)
    {
        List<object?> items = Iterate(Evaluate(loop.Source, scope));
        if (loop.Filter is not null)
        {
            var kept = new List<object?>();
            foreach (object? item in items)
            {
                var candidate = new JinjaScope(scope);
                Assign(loop.Target, item, candidate);
                if (IsTrue(Evaluate(loop.Filter, candidate))) kept.Add(item);
            }

            items = kept;
        }

        if (items.Count == 0) return Execute(loop.Else, new JinjaScope(scope));
        var state = new JinjaLoop(items);
        for (int i = 0; i < items.Count; i++)
        {
            // A new scope for each round: what one sets, the next does not see.
            var round = new JinjaScope(scope);
            state.Index0 = i;
            round.Set("loop", state);
            Assign(loop.Target, items[i], round);
            if (Execute(loop.Body, round) == Flow.Break) break;
        }

        return Flow.Next;
    }

    private void Assign(JinjaExpr target, object? value, JinjaScope scope)
    {
        switch (target)
        {
            case JinjaExpr.Name name:
                scope.Set(name.Id, value);
                break;
            case JinjaExpr.Attribute attribute:
                if (Evaluate(attribute.Target, scope) is not JinjaNamespace space) throw new JinjaException("only a namespace's attributes can be set");
                space.Attributes[attribute.Member] = value;
                break;
            case JinjaExpr.ListLiteral tuple:
                List<object?> items = Iterate(value);
                if (items.Count != tuple.Items.Length) throw new JinjaException($"{items.Count} values cannot be unpacked to {tuple.Items.Length} names");
                for (int i = 0; i < items.Count; i++) Assign(tuple.Items[i], items[i], scope);
                break;
        }
    }

    private JinjaFunction MakeMacro(JinjaStmt.Macro macro, JinjaScope definedIn) => new(macro.Name, call =>
    {
        var scope = new JinjaScope(definedIn);
        var rest = new List<object?>();
        for (int i = macro.Parameters.Length; i < call.Positional.Count; i++) rest.Add(call.Positional[i]);
        for (int i = 0; i < macro.Parameters.Length; i++)
        {
            (string name, JinjaExpr? fallback) = macro.Parameters[i];
            if (!call.TryGet(i, name, out object? value)) value = fallback is null ? new JinjaUndefined($"parameter '{name}' was not given") : Evaluate(fallback, scope);
            scope.Set(name, value);
        }

        var unknown = new JinjaDict();
        foreach ((string name, object? value) in call.Named)
        {
            if (name == "caller") scope.Set(name, value);
            else if (!Array.Exists(macro.Parameters, p => p.Name == name)) unknown.Items[name] = value;
        }

        scope.Set("varargs", new JinjaList(rest, isTuple: true));
        scope.Set("kwargs", unknown);
        return Capture(macro.Body, scope);
    });

    private object? CaptureFiltered(JinjaStmt[] body, JinjaExpr? filters, JinjaScope scope)
    {
        string text = Capture(body, new JinjaScope(scope));
        if (filters is null) return text;
        var inner = new JinjaScope(scope);
        inner.Set(Captured, text);
        return Evaluate(filters, inner);
    }

    private string Capture(JinjaStmt[] body, JinjaScope scope)
    {
        StringBuilder outer = _output;
        _output = new StringBuilder();
        try
        {
            Execute(body, scope);
            return _output.ToString();
        }
        finally
        {
            _output = outer;
        }
    }

    private void Write(string text)
    {
        Charge(text.Length);
        _output.Append(text);
    }

    private void DefineGlobals()
    {
        Define("range", Range);
        Define("namespace", MakeNamespace);
        Define("dict", MakeDict);
        Define("raise_exception", call => throw new JinjaException(ToText(call.Required(0, "message"))) { IsRaised = true });
        Define("strftime_now", call => PythonTime.Format(_time.GetLocalNow(), call.RequiredString(0, "format")));
    }

    private void Define(string name, Func<JinjaCall, object?> function) => _globals.Set(name, new JinjaFunction(name, function));

    private JinjaList Range(JinjaCall call)
    {
        call.AtMost(3);
        long first = call.Integer(0, "start", 0), second = call.Integer(1, "stop", 0), step = call.Integer(2, "step", 1);
        if (call.Count == 0) throw new JinjaException("range needs a number");
        (long start, long stop) = call.Count == 1 ? (0, first) : (first, second);
        if (step == 0) throw new JinjaException("range's step cannot be zero");
        Int128 count = step > 0 ? ((Int128)stop - start + step - 1) / step : ((Int128)start - stop - step - 1) / -(Int128)step;
        if (count > MaxRange) throw new JinjaException($"range of {count} numbers; at most {MaxRange} are allowed");
        ChargeItems(Math.Max(0, (long)count));
        var items = new List<object?>();
        for (long i = 0; i < (long)count; i++) items.Add(start + (i * step));
        return new JinjaList(items);
    }

    private JinjaNamespace MakeNamespace(JinjaCall call)
    {
        var space = new JinjaNamespace();
        foreach ((object key, object? value) in MakeDict(call).Items) space.Attributes[ToText(key)] = value;
        return space;
    }

    private JinjaDict MakeDict(JinjaCall call)
    {
        var result = new JinjaDict();
        if (call.Positional.Count > 0)
        {
            if (call.Positional[0] is JinjaDict source)
            {
                ChargeItems(source.Items.Count);
                foreach ((object key, object? value) in source.Items) result.Items[key] = value;
            }
            else
            {
                foreach (object? pair in Iterate(call.Positional[0]))
                {
                    List<object?> parts = Iterate(pair);
                    if (parts.Count != 2) throw new JinjaException("dict needs pairs");
                    result.Items[ToKey(parts[0])] = parts[1];
                }
            }
        }

        foreach ((string key, object? value) in call.Named) result.Items[key] = value;
        return result;
    }
}
