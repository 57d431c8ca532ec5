namespace Hadal.Kernels.Weights;

/// <summary>Decodes one stored type in registers, so that a kernel's inner loop is compiled for each.</summary>
/// <remarks>The same bits as <see cref="WeightDecoder"/>: a matmul may decode in registers for few tokens and through scratch for many.</remarks>
internal unsafe interface IWeightLoader<TV>
    where TV : unmanaged
{
    /// <summary>Bytes of 256 columns that come from memory; 0 where the rows lie in a cache already, so that nothing is prefetched.</summary>
    static abstract int StreamedBytesOf256 { get; }

    /// <summary>Whether <see cref="LoadGroup"/> is there.</summary>
    static virtual bool HasGroups => false;

    /// <summary>Columns whose <see cref="LoadFactors"/> are taken together, a whole number of groups; 0 where groups need none.</summary>
    static virtual int FactorColumns => 0;

    /// <summary>One vector from <paramref name="column"/> on, without the scales beside the matrix.</summary>
    static abstract TV Load(byte* row, nint column);

    /// <summary>What a group needs beside its codes: at most 16 floats.</summary>
    static virtual void LoadFactors(byte* row, nint column, float* factors) => throw new NotSupportedException();

    /// <summary>Four vectors, in order, from a column that is a whole number of them.</summary>
    static virtual void LoadGroup(byte* row, nint column, float* factors, out TV a, out TV b, out TV c, out TV d) => throw new NotSupportedException();
}
