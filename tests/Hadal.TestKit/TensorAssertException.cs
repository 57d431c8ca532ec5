namespace Hadal.TestKit;

public sealed class TensorAssertException : Exception
{
    public TensorAssertException(string message)
        : base(message)
    {
    }

    public TensorAssertException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public TensorAssertException()
    {
    }
}
