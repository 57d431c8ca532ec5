namespace Hadal.Server.Responses;

internal enum ResponseItemKind
{
    Reasoning,
    Message,
    FunctionCall,
}
