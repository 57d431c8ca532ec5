namespace Hadal.Formats.Chat.Jinja;

internal sealed partial class JinjaInterpreter
{
    private object? Evaluate(JinjaExpr expression, JinjaScope scope)
    {
        Step(expression.Line);
        switch (expression)
        {
            case JinjaExpr.Literal literal:
                return literal.Value;
            case JinjaExpr.Name name:
                return scope.TryGet(name.Id, out object? found) ? found : new JinjaUndefined($"'{name.Id}' is undefined");
            case JinjaExpr.ListLiteral list:
                var items = new List<object?>(list.Items.Length);
                foreach (JinjaExpr item in list.Items) items.Add(Evaluate(item, scope));
                return new JinjaList(items, list.IsTuple);
            case JinjaExpr.DictLiteral literal:
                var dict = new JinjaDict();
                foreach ((JinjaExpr key, JinjaExpr value) in literal.Items) dict.Items[ToKey(Evaluate(key, scope))] = Evaluate(value, scope);
                return dict;
            case JinjaExpr.Attribute attribute:
                return GetAttribute(Evaluate(attribute.Target, scope), attribute.Member);
            case JinjaExpr.Item item:
                object? target = Evaluate(item.Target, scope);
                return GetItem(target, Evaluate(item.Key, scope));
            case JinjaExpr.Slice slice:
                return EvaluateSlice(slice, scope);
            case JinjaExpr.Call call:
                object? callee = Evaluate(call.Target, scope);
                JinjaCall arguments = EvaluateArguments(call.Arguments, scope, NameOf(call.Target));
                _line = call.Line;
                return Invoke(callee, arguments);
            case JinjaExpr.Filter filter:
                object? input = Evaluate(filter.Target, scope);
                JinjaCall filterArguments = EvaluateArguments(filter.Arguments, scope, filter.Id);
                _line = filter.Line;
                return ApplyFilter(filter.Id, input, filterArguments);
            case JinjaExpr.Test test:
                object? tested = Evaluate(test.Target, scope);
                JinjaCall testArguments = EvaluateArguments(test.Arguments, scope, test.Id);
                _line = test.Line;
                return ApplyTest(test.Id, tested, testArguments) != test.Negated;
            case JinjaExpr.Unary unary:
                object? operand = Evaluate(unary.Operand, scope);
                return unary.Operator == "not" ? !IsTrue(operand) : Negate(operand, unary.Operator);
            case JinjaExpr.Binary binary:
                return EvaluateBinary(binary, scope);
            case JinjaExpr.Comparison comparison:
                return EvaluateComparison(comparison, scope);
            case JinjaExpr.Conditional conditional:
                if (IsTrue(Evaluate(conditional.Condition, scope))) return Evaluate(conditional.Then, scope);
                return conditional.Else is null ? new JinjaUndefined("an inline if without else was false") : Evaluate(conditional.Else, scope);
            default:
                throw new JinjaException($"unknown expression {expression.GetType().Name}");
        }
    }

    private object? EvaluateBinary(JinjaExpr.Binary binary, JinjaScope scope)
    {
        object? left = Evaluate(binary.Left, scope);
        // 'and' and 'or' give one of their operands, as in Python.
        if (binary.Operator == "and") return IsTrue(left) ? Evaluate(binary.Right, scope) : left;
        if (binary.Operator == "or") return IsTrue(left) ? left : Evaluate(binary.Right, scope);
        object? right = Evaluate(binary.Right, scope);
        _line = binary.Line;
        return ApplyOperator(binary.Operator, left, right);
    }

    private bool EvaluateComparison(JinjaExpr.Comparison comparison, JinjaScope scope)
    {
        object? left = Evaluate(comparison.First, scope);
        foreach ((string op, JinjaExpr operand) in comparison.Rest)
        {
            object? right = Evaluate(operand, scope);
            _line = comparison.Line;
            bool holds = op switch
            {
                "==" => AreEqual(left, right),
                "!=" => !AreEqual(left, right),
                "in" => Contains(right, left),
                "not in" => !Contains(right, left),
                "<" => Compare(left, right) < 0,
                "<=" => Compare(left, right) <= 0,
                ">" => Compare(left, right) > 0,
                _ => Compare(left, right) >= 0,
            };
            if (!holds) return false;
            left = right;
        }

        return true;
    }

    private object? EvaluateSlice(JinjaExpr.Slice slice, JinjaScope scope)
    {
        object? target = Evaluate(slice.Target, scope);
        long? start = Bound(slice.Start), stop = Bound(slice.Stop), step = Bound(slice.Step);
        if (target is JinjaUndefined undefined) throw new JinjaException(undefined.Reason);
        long by = step ?? 1;
        if (by == 0) throw new JinjaException("a slice's step cannot be zero");
        switch (target)
        {
            case JinjaList list:
                List<object?> sliced = Slice(list.Items, start, stop, by);
                ChargeItems(sliced.Count);
                return new JinjaList(sliced, list.IsTuple);
            case string text when by == 1 && !HasSurrogates(text):
                (long from, long to) = SliceBounds(text.Length, start, stop, 1);
                Charge(Math.Max(0, to - from));
                return to > from ? text[(int)from..(int)to] : string.Empty;
            case string text:
                Charge(text.Length);
                return string.Concat(Slice(CodePoints(text), start, stop, by));
            default:
                return new JinjaUndefined($"{TypeName(target)} cannot be sliced");
        }

        long? Bound(JinjaExpr? bound) => bound is null ? null : Evaluate(bound, scope) switch
        {
            long value => value,
            bool value => value ? 1 : 0,
            null => null,
            JinjaUndefined missing => throw new JinjaException(missing.Reason),
            object other => throw new JinjaException($"slice bounds are integers, not {TypeName(other)}"),
        };
    }

    private static (long From, long To) SliceBounds(int length, long? start, long? stop, long step)
    {
        long lowest = step > 0 ? 0 : -1, highest = step > 0 ? length : length - 1;
        long from = start is null ? (step > 0 ? lowest : highest) : Clamp(start.Value);
        long to = stop is null ? (step > 0 ? highest : lowest) : Clamp(stop.Value);
        return (from, to);

        long Clamp(long index) => Math.Clamp(index < 0 ? index + length : index, lowest, highest);
    }

    private static List<T> Slice<T>(List<T> items, long? start, long? stop, long step)
    {
        (long from, long to) = SliceBounds(items.Count, start, stop, step);
        var result = new List<T>();
        // Int128: a huge step must not wrap around.
        for (Int128 i = from; step > 0 ? i < to : i > to; i += step) result.Add(items[(int)i]);
        return result;
    }

    private JinjaCall EvaluateArguments(JinjaArguments arguments, JinjaScope scope, string name)
    {
        var positional = new List<object?>(arguments.Positional.Length);
        foreach (JinjaExpr argument in arguments.Positional) positional.Add(Evaluate(argument, scope));
        if (arguments.Spread is not null) positional.AddRange(Iterate(Evaluate(arguments.Spread, scope)));
        var named = new Dictionary<string, object?>();
        foreach ((string key, JinjaExpr value) in arguments.Named) named[key] = Evaluate(value, scope);
        if (arguments.NamedSpread is not null)
        {
            if (Evaluate(arguments.NamedSpread, scope) is not JinjaDict spread) throw new JinjaException("** needs a dict");
            foreach ((object key, object? value) in spread.Items) named[ToText(key)] = value;
        }

        return new JinjaCall(name, positional, named);
    }

    private static string NameOf(JinjaExpr expression) => expression switch
    {
        JinjaExpr.Name name => name.Id,
        JinjaExpr.Attribute attribute => attribute.Member,
        _ => "the function",
    };

    private static object? Invoke(object? callee, JinjaCall call)
    {
        CheckStack();
        return callee switch
        {
            JinjaFunction function => function.Invoke(call),
            JinjaUndefined undefined => throw new JinjaException(undefined.Reason),
            _ => throw new JinjaException($"{TypeName(callee)} cannot be called"),
        };
    }

    /// <summary>x.name: the attribute first, then the item, as Jinja's getattr does.</summary>
    private object? GetAttribute(object? target, string name)
    {
        switch (target)
        {
            case JinjaUndefined undefined:
                throw new JinjaException(undefined.Reason);
            case JinjaNamespace space:
                return space.Attributes.TryGetValue(name, out object? attribute) ? attribute : Missing(target, name);
            case JinjaLoop loop:
                return loop.Get(name, this);
            case JinjaDict dict:
                return FindMethod(dict, name) ?? (dict.Items.TryGetValue(name, out object? value) ? value : Missing(target, name));
            default:
                return (object?)FindMethod(target, name) ?? Missing(target, name);
        }
    }

    /// <summary>x[key]: the item first, then the attribute when the key is a string.</summary>
    private object? GetItem(object? target, object? key)
    {
        switch (target)
        {
            case JinjaUndefined undefined:
                throw new JinjaException(undefined.Reason);
            case JinjaDict dict:
                if (key is not null && IsKey(key) && dict.Items.TryGetValue(key, out object? value)) return value;
                return key is string member ? (object?)FindMethod(dict, member) ?? Missing(target, member) : Missing(target, Represent(key));
            case JinjaList list when key is long or bool:
                return TryIndex(list.Items.Count, key, out int index) ? list.Items[index] : Missing(target, Represent(key));
            case string text when key is long or bool:
                List<string>? points = HasSurrogates(text) ? CodePoints(text) : null;
                if (!TryIndex(points?.Count ?? text.Length, key, out int position)) return Missing(target, Represent(key));
                return points is null ? text[position].ToString() : points[position];
            default:
                return key is string name ? GetAttribute(target, name) : Missing(target, Represent(key));
        }
    }

    private static bool TryIndex(int count, object key, out int index)
    {
        long wanted = key is bool b ? (b ? 1 : 0) : (long)key;
        if (wanted < 0) wanted += count;
        index = wanted >= 0 && wanted < count ? (int)wanted : -1;
        return index >= 0;
    }

    private static JinjaUndefined Missing(object? target, string name) => new($"{TypeName(target)} has no '{name}'");
}
