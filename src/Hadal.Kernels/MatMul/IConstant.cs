namespace Hadal.Kernels.MatMul;

/// <summary>A number the compiler knows, as a type argument: what it decides costs nothing at run time.</summary>
internal interface IConstant
{
    static abstract int Value { get; }
}
