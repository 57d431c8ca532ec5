namespace Hadal.Kernels.MatMul;

/// <summary>Small numbers as type arguments.</summary>
internal static class Constants
{
    public readonly struct Zero : IConstant
    {
        public static int Value => 0;
    }

    public readonly struct One : IConstant
    {
        public static int Value => 1;
    }

    public readonly struct Two : IConstant
    {
        public static int Value => 2;
    }

    public readonly struct Three : IConstant
    {
        public static int Value => 3;
    }

    public readonly struct Four : IConstant
    {
        public static int Value => 4;
    }

    public readonly struct Five : IConstant
    {
        public static int Value => 5;
    }

    public readonly struct Six : IConstant
    {
        public static int Value => 6;
    }
}
