using System.Buffers.Binary;
using System.Text.Json;

namespace Hadal.Models.Tests.Oracle;

/// <summary>Every tensor of a folder's *.safetensors as doubles: eight bytes of length, a JSON header, the data.</summary>
internal sealed class OracleTensors
{
    private readonly Dictionary<string, (long[] Shape, double[] Values)> _tensors = new(StringComparer.Ordinal);
    private readonly int[] _block;

    /// <param name="folder">Where the files lie.</param>
    /// <param name="block">Rows and columns of a scale's block, where weights are e4m3.</param>
    public OracleTensors(string folder, int[] block)
    {
        _block = block;
        foreach (string path in Directory.GetFiles(folder, "model*.safetensors"))
        {
            Read(File.ReadAllBytes(path));
        }
    }

    public bool Has(string name) => _tensors.ContainsKey(name);

    public double[] Vector(string name) => _tensors[name].Values;

    public long[] Shape(string name) => _tensors[name].Shape;

    /// <summary>The rows of a matrix; where there are scales beside it, each element times the scale of its block.</summary>
    public double[][] Matrix(string name)
    {
        (long[] shape, double[] values) = _tensors[name];
        int columns = (int)shape[1];
        double[][] rows = [.. values.Chunk(columns)];
        if (_tensors.TryGetValue(name + "_scale_inv", out (long[] Shape, double[] Values) scale))
        {
            for (int r = 0; r < rows.Length; r++)
            {
                for (int c = 0; c < columns; c++)
                {
                    rows[r][c] *= scale.Values[(r / _block[0] * scale.Shape[1]) + (c / _block[1])];
                }
            }
        }

        return rows;
    }

    private void Read(byte[] file)
    {
        int header = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        using var json = JsonDocument.Parse(file.AsMemory(8, header));
        foreach (JsonProperty tensor in json.RootElement.EnumerateObject().Where(p => p.Name != "__metadata__"))
        {
            int from = 8 + header + tensor.Value.GetProperty("data_offsets")[0].GetInt32();
            int end = 8 + header + tensor.Value.GetProperty("data_offsets")[1].GetInt32();
            long[] shape = [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())];
            ReadOnlySpan<byte> data = file.AsSpan(from, end - from);
            double[] values = new double[shape.Aggregate(1L, (a, b) => a * b)];
            string dtype = tensor.Value.GetProperty("dtype").GetString()!;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = dtype switch
                {
                    "F32" => BinaryPrimitives.ReadSingleLittleEndian(data[(4 * i)..]),
                    "F16" => (double)BinaryPrimitives.ReadHalfLittleEndian(data[(2 * i)..]),
                    "BF16" => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(data[(2 * i)..]) << 16),
                    "F8_E4M3" => E4M3(data[i]),
                    _ => throw new NotSupportedException(dtype),
                };
            }

            _tensors.Add(tensor.Name, (shape, values));
        }
    }

    /// <summary>Sign, four bits of exponent with bias 7, three of mantissa; no infinities (OCP 8-bit floating point, section 5.1).</summary>
    public static double E4M3(byte code)
    {
        int exponent = (code >> 3) & 15;
        int mantissa = code & 7;
        double magnitude = exponent == 0 ? Math.ScaleB(mantissa / 8.0, -6) : Math.ScaleB(1 + (mantissa / 8.0), exponent - 7);
        return (code & 0x80) == 0 ? magnitude : -magnitude;
    }
}
