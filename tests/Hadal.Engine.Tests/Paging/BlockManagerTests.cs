using FsCheck.Xunit;
using Hadal.Engine.Paging;

namespace Hadal.Engine.Tests.Paging;

public sealed class BlockManagerTests
{
    [Fact]
    public void FindPrefix_OfTheSameTokens_LeavesOneTokenToCompute()
    {
        var blocks = new BlockManager(8, 4);
        Fill(blocks, [1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal(1, blocks.FindPrefix([1, 2, 3, 4, 5, 6, 7, 8], 0, out _));
        Assert.Equal(2, blocks.FindPrefix([1, 2, 3, 4, 5, 6, 7, 8, 9], 0, out int unreferenced));
        Assert.Equal(0, unreferenced);
    }

    [Fact]
    public void FindPrefix_UnderAnotherRootOrParent_FindsNothing()
    {
        var blocks = new BlockManager(8, 2);
        Fill(blocks, [1, 2, 3, 4]);
        Assert.Equal(0, blocks.FindPrefix([1, 2, 3, 4, 5], -1, out _));
        Assert.Equal(0, blocks.FindPrefix([3, 4, 5], 0, out _));
        Assert.Equal(2, blocks.FindPrefix([1, 2, 3, 4, 5], 0, out _));
    }

    [Fact]
    public void Commit_BeforeTheTokensAreComputed_CachesNothing()
    {
        var blocks = new BlockManager(4, 4);
        var table = new BlockTable();
        Assert.True(blocks.TryGrow(table, 8));
        blocks.Commit(table, [1, 2, 3, 4, 5, 6, 7, 8], 3);
        Assert.Equal(0, blocks.FindPrefix([1, 2, 3, 4, 9], 0, out _));
        blocks.Commit(table, [1, 2, 3, 4, 5, 6, 7, 8], 7);
        Assert.Equal(1, blocks.FindPrefix([1, 2, 3, 4, 5, 6, 7, 8, 9], 0, out _));
    }

    [Fact]
    public void Commit_OfABlockComputedTwice_KeepsOnePage()
    {
        var blocks = new BlockManager(4, 2);
        BlockTable a = Fill(blocks, [1, 2]);
        BlockTable b = Fill(blocks, [1, 2]);
        Assert.Equal(a[0], b[0]);
        Assert.Equal(2, blocks.RefCount(a[0]));
        Assert.Equal(1, blocks.NumUsed);
    }

    [Fact]
    public void TryGrow_WhenShort_TakesEmptyThenLeastRecentlyUsedAndNeverTheHeld()
    {
        var blocks = new BlockManager(6, 1);
        BlockTable oldest = Fill(blocks, [1, 2]);
        BlockTable newest = Fill(blocks, [8, 9]);
        BlockTable held = Fill(blocks, [5]);
        blocks.Release(oldest);
        blocks.Release(newest);
        var table = new BlockTable();
        Assert.True(blocks.TryGrow(table, 2)); // the empty one, then the leaf of the oldest
        Assert.Equal(1, blocks.FindPrefix([1, 2, 3], 0, out _));
        Assert.Equal(2, blocks.FindPrefix([8, 9, 3], 0, out _));
        Assert.False(blocks.TryGrow(table, 6));
        Assert.Equal(2, table.Count);
        Assert.True(blocks.TryGrow(table, 5));
        Assert.Equal(0, blocks.FindPrefix([8, 9, 3], 0, out _));
        Assert.Equal(1, blocks.RefCount(held[0]));
        Assert.Equal(1, blocks.FindPrefix([5, 6], 0, out _));
    }

    /// <summary>Random traffic beside a model made of dictionaries and lists: same hits, same references, same order of eviction, nothing lost or doubled.</summary>
    [Property(MaxTest = 300)]
    public void AnyTraffic_BesideTheModel_Agrees(byte numBlocks, byte blockSize, (byte Op, byte Which, byte Amount)[] operations)
    {
        var blocks = new BlockManager(1 + (numBlocks % 12), 1 + (blockSize % 3));
        var model = new BlockModel(blocks.NumBlocks, blocks.BlockSize);
        var live = new List<(BlockTable Table, List<int> Tokens)>();
        // FsCheck's arrays start short; each is run through several times so that eviction is reached.
        foreach ((byte op, byte which, byte amount) in operations.Concat(operations.Reverse()).Concat(operations))
        {
            if (op % 3 == 0 || live.Count == 0)
            {
                // Few different tokens: prefixes meet and branch.
                List<int> tokens = [.. Enumerable.Range(0, 1 + (amount % 9)).Select(i => (which >> (i % 8)) & 1)];
                int found = blocks.FindPrefix(tokens.ToArray(), 0, out int unreferenced);
                Assert.Equal(model.Find(tokens), (found, unreferenced));
                var table = new BlockTable();
                blocks.AdoptPrefix(table, 0, found);
                model.Adopt(table, tokens, found);
                if (blocks.TryGrow(table, tokens.Count))
                {
                    model.Grow(table, found);
                    live.Add((table, tokens));
                }
                else
                {
                    model.Release(table);
                    blocks.Release(table);
                }
            }
            else if (op % 3 == 1)
            {
                (BlockTable table, List<int> tokens) = live[which % live.Count];
                int before = table.Count;
                if (blocks.TryGrow(table, tokens.Count + 1))
                {
                    model.Grow(table, before);
                    tokens.Add(amount & 1);
                }

                int numCommitted = table.NumCommitted;
                int[] pages = table.AsSpan(table.Count).ToArray();
                blocks.Commit(table, tokens.ToArray(), tokens.Count - (amount % 2));
                model.Commit(table, tokens, numCommitted, pages);
            }
            else
            {
                (BlockTable table, _) = live[which % live.Count];
                live.RemoveAt(which % live.Count);
                model.Release(table);
                blocks.Release(table);
            }

            model.AssertSame(blocks, [.. live.Select(l => l.Table)]);
        }

        foreach ((BlockTable table, _) in live)
            blocks.Release(table);
        Assert.Equal(0, blocks.NumUsed);
        Assert.Equal(blocks.NumBlocks, blocks.AvailableInOrder().Distinct().Count());
    }

    private static BlockTable Fill(BlockManager blocks, int[] tokens)
    {
        var table = new BlockTable();
        Assert.True(blocks.TryGrow(table, tokens.Length));
        blocks.Commit(table, tokens, tokens.Length);
        return table;
    }
}
