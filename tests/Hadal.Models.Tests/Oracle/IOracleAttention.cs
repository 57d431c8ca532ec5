namespace Hadal.Models.Tests.Oracle;

internal interface IOracleAttention
{
    /// <summary>[T, D] to [T, D]: each token sees itself and those before it.</summary>
    double[][] Forward(double[][] x);
}
