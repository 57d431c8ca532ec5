namespace Hadal.Models.Tests.Oracle;

/// <summary>A checkpoint in a folder, computed in double precision from the first token on each time.</summary>
internal sealed class OracleModel
{
    private readonly OracleConfig _config;
    private readonly double[][] _embedding, _head;
    private readonly double[] _norm;
    private readonly OracleLayer[] _layers;

    public OracleModel(string folder)
    {
        _config = OracleConfig.Read(folder);
        int[] block = _config.Object("quantization_config") is { } q ? [.. q.GetProperty("weight_block_size").EnumerateArray().Select(e => e.GetInt32())] : [1, 1];
        var tensors = new OracleTensors(folder, block);
        var rope = new OracleRope(
            _config,
            _config.IsDeepSeek ? _config.Int("qk_rope_head_dim") : _config.HeadDim,
            interleaved: _config.IsDeepSeek && _config.FlagOr("rope_interleave", true));
        _embedding = tensors.Matrix("model.embed_tokens.weight");
        _norm = tensors.Vector("model.norm.weight");
        _head = _config.TieWordEmbeddings ? _embedding : tensors.Matrix("lm_head.weight");
        _layers = [.. Enumerable.Range(0, _config.Layers).Select(i => new OracleLayer(_config, tensors, rope, i))];
    }

    public IEnumerable<OracleRouter> Routers => _layers.Where(l => l.Moe is not null).Select(l => l.Moe!.Router);

    /// <summary>[T, V]: the logits after each token.</summary>
    public double[][] Logits(int[] ids)
    {
        double[][] h = [.. ids.Select(id => _embedding[id])];
        foreach (OracleLayer layer in _layers)
        {
            h = layer.Forward(h);
        }

        return [.. h.Select(x => OracleMath.Linear(OracleRmsNorm.Forward(x, _norm, _config.RmsNormEps), _head))];
    }
}
