namespace Hadal.Engine.Constraints.Automata;

/// <summary>A grammar's rules while it is being read. A rule may be referred to before it has a body.</summary>
internal sealed class GrammarRules
{
    // Far above what an honest schema has; below it compiling stays within tens of milliseconds and megabytes.
    public const int MaxRules = 20_000;

    private readonly List<(string Name, GrammarNode? Body)> _rules = [];

    public int Count => _rules.Count;

    public GrammarNode.Rule Declare(string name)
    {
        if (_rules.Count >= MaxRules)
            throw new GrammarException($"The grammar has more than {MaxRules} rules. Make it smaller.");
        _rules.Add((name, null));
        return new(_rules.Count - 1);
    }

    public GrammarNode.Rule Add(string name, GrammarNode body)
    {
        GrammarNode.Rule rule = Declare(name);
        Define(rule, body);
        return rule;
    }

    public void Define(GrammarNode.Rule rule, GrammarNode body) => _rules[rule.Index] = (_rules[rule.Index].Name, body);

    public string Name(int index) => _rules[index].Name;

    public GrammarNode Body(int index) => _rules[index].Body ?? throw new GrammarException($"The rule '{Name(index)}' is used but not defined.");
}
