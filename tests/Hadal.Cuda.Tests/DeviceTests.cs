using System.Diagnostics;
using Hadal.Kernels.Cuda;

namespace Hadal.Cuda.Tests;

/// <summary>The driver room on a card.</summary>
public sealed class DeviceTests(Gpu gpu)
{
    [Fact]
    public void Device_TellsWhatItIs()
    {
        CudaDevice d = gpu.Context.Device;
        (long free, long total) = gpu.Context.Memory;
        NvmlDevice? nvml = NvmlDevice.Find(d);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{d}, {d.Uuid}, {d.PciBusId}, {d.MultiprocessorCount} SMs, {d.TotalMemory:N0} bytes ({free:N0} free), L2 {d.L2Bytes:N0}, shared {d.MaxSharedBytesPerBlock}/{d.MaxSharedBytesPerMultiprocessor}, "
            + $"{d.ClockKHz} kHz, memory {d.MemoryClockKHz} kHz x {d.MemoryBusBits} bits, CUDA {CudaDriver.Version}, driver {NvmlDevice.DriverVersion}; NVML: {nvml?.Name}, {nvml?.PowerWatts} of {nvml?.PowerLimitWatts} W, "
            + $"{nvml?.EnergyJoules} J, SM {nvml?.SmClockMHz} of {nvml?.MaxSmClockMHz} MHz, memory {nvml?.MemoryClockMHz} of {nvml?.MaxMemoryClockMHz} MHz, {nvml?.Throttling}, {nvml?.TemperatureCelsius} C, {nvml?.Utilization}, {nvml?.Memory}");
        Assert.NotEmpty(d.Name);
        Assert.True(d.Major >= 8);
        Assert.InRange(d.MultiprocessorCount, 1, 1000);
        Assert.True(d.L2Bytes > 0 && d.MaxSharedBytesPerBlock >= 48 << 10);
        Assert.InRange(free, 1, total);
        Assert.NotEqual(Guid.Empty, d.Uuid);
        if (nvml is not null)
        {
            Assert.Equal(d.Name, nvml.Name);
            Assert.NotNull(NvmlDevice.DriverVersion);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4099)]
    [InlineData(1 << 20)]
    public void Copies_ThereAndBack_KeepEveryByte(int bytes)
    {
        using CudaStream s = gpu.Context.NewStream();
        byte[] data = Bytes(bytes);
        using DeviceBuffer a = gpu.Upload<byte>(s, data);
        using DeviceBuffer b = gpu.Poisoned<byte>(s, bytes + 1);
        s.CopyOnDevice(b.Pointer, a.Pointer, bytes);
        byte[] back = gpu.Download<byte>(s, b, bytes + 1);
        Assert.Equal(data, back[..bytes]);
        Assert.Equal(0xFF, back[bytes]);
        s.Fill(b.Pointer, 7, bytes);
        Assert.All(gpu.Download<byte>(s, b, bytes), v => Assert.Equal(7, v));
    }

    [Fact]
    public unsafe void PinnedMemory_CarriesBothWays()
    {
        using CudaStream s = gpu.Context.NewStream();
        using PinnedBuffer host = gpu.Context.AllocatePinned(8000);
        using DeviceBuffer device = gpu.Context.Allocate(8000);
        Span<int> span = host.Span<int>();
        for (int i = 0; i < span.Length; i++)
        {
            span[i] = i * 3;
        }

        s.CopyToDevice(device.Pointer, host.Pointer, 8000);
        s.Synchronize();
        span.Clear();
        s.CopyToHost(host.Pointer, device.Pointer, 8000);
        s.Synchronize();
        for (int i = 0; i < span.Length; i++)
        {
            Assert.Equal(i * 3, span[i]);
        }
    }

    [Fact]
    public void Allocate_MoreThanThereIs_SaysHowMuchIsFree()
    {
        CudaContext c = gpu.Context;
        var e = Assert.Throws<CudaException>(() => c.Allocate(c.Device.TotalMemory * 2));
        Assert.Equal(CudaResult.OutOfMemory, e.Result);
        Assert.False(e.IsSticky);
        Assert.Contains("are free", e.Message, StringComparison.Ordinal);
        Assert.False(c.IsBroken);
        using DeviceBuffer small = c.Allocate(16);
    }

    [Fact]
    public void StreamOrderedMemory_IsReadyForWhatFollows()
    {
        using CudaStream s = gpu.Context.NewStream();
        gpu.Context.KeepInPool(64 << 20);
        for (int i = 0; i < 20; i++)
        {
            using DeviceBuffer b = s.Allocate(1 << 20);
            s.Fill(b.Pointer, (byte)i, b.ByteLength);
            byte[] back = gpu.Download<byte>(s, b, 1 << 20);
            Assert.Equal((byte)i, back[0]);
            Assert.Equal((byte)i, back[^1]);
        }

        // A buffer may outlive the stream it was made on.
        CudaStream gone = gpu.Context.NewStream();
        DeviceBuffer late = gone.Allocate(4096);
        gone.Dispose();
        late.Dispose();
        gpu.Context.TrimPool(0);
    }

    [Fact]
    public void Events_TimeAndOrder()
    {
        using CudaStream a = gpu.Context.NewStream();
        using CudaStream b = gpu.Context.NewStream();
        using CudaModule m = TestPtx.Load(gpu, CudaTarget.Sm80);
        using CudaEvent start = gpu.Context.NewEvent(timing: true);
        using CudaEvent end = gpu.Context.NewEvent(timing: true);
        using CudaEvent mark = gpu.Context.NewEvent(timing: false, blocking: true);
        const int Count = 1 << 16;
        using DeviceBuffer x = gpu.Upload<float>(a, new float[Count]);
        using DeviceBuffer y = gpu.Poisoned<float>(a, Count);
        CudaFunction late = m.Function("add_late_f32");
        CudaFunction add = m.Function("add_f32");

        a.Record(start);
        for (int i = 0; i < 50; i++)
        {
            late.Launch(a, new LaunchShape(64, 1, 1, 256), new AddArgs { In = x.Pointer, Out = x.Pointer, Count = Count, Value = 1 });
        }

        a.Record(end);
        a.Record(mark);
        Assert.False(mark.IsDone);
        b.Wait(mark);
        add.Launch(b, new LaunchShape(64, 1, 1, 256), new AddArgs { In = x.Pointer, Out = y.Pointer, Count = Count, Value = 0.5f });
        b.Synchronize();
        Assert.True(mark.IsDone);
        Assert.True(a.IsIdle);
        mark.Synchronize();
        Assert.All(gpu.Download<float>(b, y, Count), v => Assert.Equal(50.5f, v));
        Assert.InRange(end.MillisecondsSince(start), 0.5f, 5000f);
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Launch_AddsAndTellsOfTheKernel(CudaTarget target)
    {
        using CudaStream s = gpu.Context.NewStream();
        using CudaModule m = TestPtx.Load(gpu, target);
        CudaFunction add = m.Function("add_f32");
        float[] data = [.. Enumerable.Range(0, 1000).Select(i => i * 0.25f)];
        using DeviceBuffer x = gpu.Upload<float>(s, data);
        using DeviceBuffer y = gpu.Poisoned<float>(s, 1000);
        add.Launch(s, new LaunchShape(3, 1, 1, 256), new AddArgs { In = x.Pointer, Out = y.Pointer, Count = 1000, Value = 2 });
        Assert.Equal(data.Select(v => v + 2), gpu.Download<float>(s, y, 1000));
        Assert.InRange(add.Registers, 4, 255);
        Assert.Equal(0, add.LocalBytes);
        Assert.Equal(256, add.MaxThreads);
        Assert.InRange(add.MaxBlocksPerMultiprocessor(256, 0), 1, 8);
        Assert.True(add.ArgumentBytes is 24 or 0);
        Assert.True(m.Has("add_f32"));
        Assert.False(m.Has("add_f64"));
        Assert.Contains("add_f64", Assert.Throws<CudaException>(() => m.Function("add_f64")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Launch_OfAWrongShapeOrStruct_IsRefusedWithItsNumbers()
    {
        using CudaStream s = gpu.Context.NewStream();
        using CudaModule m = TestPtx.Load(gpu, CudaTarget.Sm80);
        CudaFunction add = m.Function("add_f32");
        Assert.Throws<ArgumentOutOfRangeException>(() => add.Launch(s, new LaunchShape(0, 1, 1, 256), default(AddArgs)));
        string message = Assert.Throws<ArgumentOutOfRangeException>(() => add.Launch(s, new LaunchShape(1, 1, 1, 512) { What = "too many threads" }, default(AddArgs))).Message;
        Assert.Contains("add_f32", message, StringComparison.Ordinal);
        Assert.Contains("block 512", message, StringComparison.Ordinal);
        Assert.Contains("too many threads", message, StringComparison.Ordinal);
        if (add.ArgumentBytes > 0)
        {
            Assert.Throws<ArgumentException>(() => add.Launch(s, new LaunchShape(1, 1, 1, 32), 0L));
        }

        var e = Assert.Throws<CudaException>(() => add.Launch(s, new LaunchShape(1, 70_000, 1, 32), default(AddArgs)));
        Assert.Equal(CudaResult.InvalidValue, e.Result);
        Assert.Contains("70000", e.Message, StringComparison.Ordinal);
        Assert.Contains("driver_tests", add.ToString(), StringComparison.Ordinal);
        e = Assert.Throws<CudaException>(() => add.AllowShared(1 << 20));
        Assert.Contains("1048576 bytes", e.Message, StringComparison.Ordinal);
        Assert.False(gpu.Context.IsBroken);
        s.Synchronize();
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void SharedMemory_MoreThan48KiB_IsAllowedByTheLaunch(CudaTarget target)
    {
        using CudaStream s = gpu.Context.NewStream();
        using CudaModule m = TestPtx.Load(gpu, target);
        CudaFunction reverse = m.Function("reverse_shared");
        int count = (gpu.Context.Device.MaxSharedBytesPerBlock - reverse.StaticSharedBytes) / 4;
        int[] data = [.. Enumerable.Range(0, count)];
        using DeviceBuffer x = gpu.Upload<int>(s, data);
        reverse.Launch(s, new LaunchShape(1, 1, 1, 256) { SharedBytes = count * 4 }, new SharedArgs { Out = x.Pointer, Count = count });
        Assert.Equal(data.Reverse(), gpu.Download<int>(s, x, count));
        Assert.Equal(1, reverse.MaxBlocksPerMultiprocessor(256, count * 4));
    }

    /// <summary>Each kernel lets the next start before it has read or written anything: 200 steps are right only where waiting works.</summary>
    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void ProgrammaticLaunches_InAChain_KeepTheirOrder(CudaTarget target)
    {
        using CudaStream s = gpu.Context.NewStream();
        using CudaModule m = TestPtx.Load(gpu, target);
        CudaFunction late = m.Function("add_late_f32");
        CudaFunction add = m.Function("add_f32");
        const int Count = 10_000;
        using DeviceBuffer a = gpu.Upload<float>(s, new float[Count]);
        using DeviceBuffer b = gpu.Poisoned<float>(s, Count);
        s.BeginCapture();
        Chain();
        using CudaGraph graph = s.EndCapture();
        Assert.Equal(200, graph.NodeCount);
        graph.Launch(s);
        graph.Launch(s);
        Assert.All(gpu.Download<float>(s, a, Count), v => Assert.Equal(400f, v));
        Chain();
        Assert.All(gpu.Download<float>(s, a, Count), v => Assert.Equal(600f, v));

        void Chain()
        {
            var shape = new LaunchShape(20, 1, 1, 256);
            for (int i = 0; i < 100; i++)
            {
                late.Launch(s, shape, new AddArgs { In = a.Pointer, Out = b.Pointer, Count = Count, Value = 1 });
                add.Launch(s, shape with { GridX = 7 }, new AddArgs { In = b.Pointer, Out = a.Pointer, Count = Count, Value = 1 });
            }
        }
    }

    [Fact]
    public void Graph_CapturedWithAModuleLoadedInside_Replays()
    {
        using CudaStream s = gpu.Context.NewStream();
        using CudaStream other = gpu.Context.NewStream();
        using DeviceBuffer x = gpu.Upload<float>(s, new float[64]);
        s.BeginCapture();
        Assert.True(s.IsCapturing);
        using CudaModule m = TestPtx.Load(gpu, CudaTarget.Sm80);
        CudaFunction add = m.Function("add_f32");
        s.Fill(x.Pointer, 0, 256);
        add.Launch(s, new LaunchShape(1, 1, 1, 64), new AddArgs { In = x.Pointer, Out = x.Pointer, Count = 64, Value = 3 });

        // Another thread's work goes on meanwhile, allocation included.
        Exception? seen = null;
        var thread = new Thread(() => seen = Record.Exception(() =>
        {
            using DeviceBuffer y = gpu.Context.Allocate(1 << 20);
            other.Fill(y.Pointer, 1, y.ByteLength);
            other.Synchronize();
        }));
        thread.Start();
        thread.Join();
        Assert.Null(seen);
        using CudaGraph graph = s.EndCapture();
        Assert.Equal(2, graph.NodeCount);
        graph.Upload(s);
        for (int i = 0; i < 3; i++)
        {
            graph.Launch(s);
        }

        Assert.All(gpu.Download<float>(s, x, 64), v => Assert.Equal(3f, v));
    }

    [Fact]
    public void Capture_Abandoned_LeavesAStreamThatWorks()
    {
        using CudaStream s = gpu.Context.NewStream();
        using DeviceBuffer x = gpu.Poisoned<byte>(s, 16);
        s.BeginCapture();
        s.Fill(x.Pointer, 1, 16);
        Assert.Throws<CudaException>(s.Synchronize);
        s.AbandonCapture();
        s.Fill(x.Pointer, 2, 16);
        Assert.All(gpu.Download<byte>(s, x, 16), v => Assert.Equal(2, v));
    }

    [Fact]
    public async Task ManyThreads_EachWithAStream_GetTheirOwnResults()
    {
        CudaContext c = gpu.Context;
        using CudaModule m = TestPtx.Load(gpu, CudaTarget.Sm80);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(t => Task.Run(() =>
        {
            using CudaStream s = c.NewStream();
            for (int round = 0; round < 20; round++)
            {
                using DeviceBuffer x = gpu.Upload<float>(s, new float[500]);
                CudaFunction add = m.Function("add_f32");
                for (int i = 0; i < 25; i++)
                {
                    add.Launch(s, new LaunchShape(2, 1, 1, 256), new AddArgs { In = x.Pointer, Out = x.Pointer, Count = 500, Value = t + 1 });
                }

                Assert.All(gpu.Download<float>(s, x, 500), v => Assert.Equal(25f * (t + 1), v));
            }
        }, TestContext.Current.CancellationToken)));
    }

    [Fact]
    public void Launch_AllocatesNothing()
    {
        using CudaStream s = gpu.Context.NewStream();
        CudaKernels kernels = gpu.Kernels(CudaTarget.Auto);
        using CudaModule m = TestPtx.Load(gpu, kernels.Target);
        CudaFunction add = m.Function("add_f32");
        using DeviceBuffer x = gpu.Upload<float>(s, new float[64]);
        using CudaEvent e = gpu.Context.NewEvent(timing: false);
        s.BeginCapture();
        Launch();
        using CudaGraph graph = s.EndCapture();
        for (int i = 0; i < 200; i++)
        {
            Launch();
        }

        Rest();
        long before = GC.GetAllocatedBytesForCurrentThread();
        long t0 = Stopwatch.GetTimestamp();
        for (int i = 0; i < 1000; i++)
        {
            Launch();
        }

        double launchUs = Stopwatch.GetElapsedTime(t0).TotalMicroseconds / 1000;
        Rest();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        TestContext.Current.TestOutputHelper?.WriteLine($"{launchUs:f2} us a launch (queue depth included)");

        // Binding a function of the driver, at its first call, allocates; nothing after that.
        void Rest()
        {
            graph.Launch(s);
            s.Record(e);
            s.Wait(e);
            e.Synchronize();
            s.Synchronize();
        }

        void Launch() => add.Launch(s, new LaunchShape(1, 1, 1, 64), new AddArgs { In = x.Pointer, Out = x.Pointer, Count = 64, Value = 1 });
    }

    [Fact]
    public void Load_OfBrokenPtx_GivesTheAssemblersLog()
    {
        string text = System.Text.Encoding.UTF8.GetString(TestPtx.Read(CudaTarget.Sm80)).Replace("nanosleep.u32", "nanosnooze.u32", StringComparison.Ordinal);
        var e = Assert.Throws<CudaException>(() => gpu.Context.Load("broken", System.Text.Encoding.UTF8.GetBytes(text)));
        TestContext.Current.TestOutputHelper?.WriteLine(e.Message);
        Assert.Contains("nanosnooze", e.Message, StringComparison.Ordinal);
        Assert.Contains("broken", e.Message, StringComparison.Ordinal);
        Assert.False(e.IsSticky);
        Assert.False(gpu.Context.IsBroken);
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Load_ASecondTime_ComesFromTheDisk(CudaTarget target)
    {
        _ = gpu.Kernels(target);
        string folder = Directory.CreateTempSubdirectory("hadal-cubin-").FullName;
        try
        {
            byte[] ptx = TestPtx.Read(target);
            long t0 = Stopwatch.GetTimestamp();
            var cache = new KernelCache(folder, static w => throw new InvalidOperationException(w));
            byte[] cold = cache.Get("m", ptx, "t", p => PtxAssembler.Assemble(gpu.Context, "m", p));
            double coldMs = Stopwatch.GetElapsedTime(t0).TotalMilliseconds;
            t0 = Stopwatch.GetTimestamp();
            byte[] warm = cache.Get("m", ptx, "t", static _ => throw new InvalidOperationException("it was there"));
            double warmMs = Stopwatch.GetElapsedTime(t0).TotalMilliseconds;
            Assert.Equal(cold, warm);
            TestContext.Current.TestOutputHelper?.WriteLine($"{target}: {coldMs:f1} ms assembled, {warmMs:f1} ms from disk, {cold.Length} bytes; {PtxAssembler.Report(gpu.Context, "m", ptx)}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(2, 0, 0)]
    [InlineData(2, 5, 64)]
    [InlineData(2, 95, 160)]
    [InlineData(3, 3, 64)]
    public void TensorMap_CopiesABox(int rank, int row, int column)
    {
        _ = gpu.Kernels(CudaTarget.Sm90a);
        using CudaStream s = gpu.Context.NewStream();
        using CudaModule m = TestPtx.Load(gpu, CudaTarget.Sm90a);
        const int Planes = 3, Rows = 100, Columns = 200, Stride = 208, PlaneRows = 104;
        ushort[] data = [.. Enumerable.Range(0, Planes * PlaneRows * Stride).Select(i => (ushort)(i * 7))];
        using DeviceBuffer x = gpu.Upload<ushort>(s, data);
        using DeviceBuffer y = gpu.Poisoned<ushort>(s, 16 * 64);
        int plane = rank == 3 ? 2 : 0;
        TensorMap map = rank == 2
            ? TensorMap.Tiled2D(gpu.Context, x.Pointer, TensorMapType.U16, Rows, Columns, Stride * 2, 16, 64, TensorMapSwizzle.None)
            : TensorMap.Tiled3D(gpu.Context, x.Pointer, TensorMapType.U16, Planes, Rows, Columns, PlaneRows * Stride * 2, Stride * 2, 1, 16, 64, TensorMapSwizzle.None);
        m.Function("copy_box").Launch(s, new LaunchShape(1, 1, 1, 128), new MapArgs { Map = map, Out = y.Pointer, Row = row, Column = column, Plane = plane, Rank = rank });
        ushort[] box = gpu.Download<ushort>(s, y, 16 * 64);
        for (int r = 0; r < 16; r++)
        {
            for (int c = 0; c < 64; c++)
            {
                bool inside = row + r < Rows && column + c < Columns;
                Assert.Equal(inside ? data[(((plane * PlaneRows) + row + r) * Stride) + column + c] : 0, box[(r * 64) + c]);
            }
        }

        var e = Assert.Throws<CudaException>(() => TensorMap.Tiled2D(gpu.Context, x.Pointer, TensorMapType.U16, Rows, Columns, (Stride * 2) + 2, 16, 64, TensorMapSwizzle.None));
        Assert.Contains("100x200", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Clusters_GiveEachBlockItsRank()
    {
        _ = gpu.Kernels(CudaTarget.Sm90a);
        using CudaStream s = gpu.Context.NewStream();
        using CudaModule m = TestPtx.Load(gpu, CudaTarget.Sm90a);
        CudaFunction f = m.Function("cluster_rank");
        using DeviceBuffer y = gpu.Poisoned<int>(s, 32);
        f.Launch(s, new LaunchShape(32, 1, 1, 32) { ClusterX = 4 }, new SharedArgs { Out = y.Pointer, Count = 32 });
        Assert.Equal(Enumerable.Range(0, 32).Select(i => i % 4), gpu.Download<int>(s, y, 32));
        f.Launch(s, new LaunchShape(32, 1, 1, 32) { ClusterX = 16 }, new SharedArgs { Out = y.Pointer, Count = 32 });
        Assert.Equal(Enumerable.Range(0, 32).Select(i => i % 16), gpu.Download<int>(s, y, 32));
    }

    [Fact]
    public void Contexts_OfOneDevice_ShareItAndOutliveEachOther()
    {
        CudaDevice d = gpu.Context.Device;
        var second = new CudaContext(d);
        CudaStream s = second.NewStream();
        DeviceBuffer b = second.Allocate(64);
        second.Dispose();

        // What was made in it keeps it alive.
        s.Fill(b.Pointer, 3, 64);
        s.Synchronize();
        b.Dispose();
        s.Dispose();
        Assert.Throws<ObjectDisposedException>(s.Synchronize);
        using DeviceBuffer still = gpu.Context.Allocate(64);
    }

    /// <summary>One thread, every GPU of the machine, calls to one and the other in turn.</summary>
    [Fact]
    public void EveryDevice_WorksInTurnsFromOneThread()
    {
        _ = gpu.Context;
        CudaContext[] contexts = [.. CudaDriver.Devices().Select(d => new CudaContext(d))];
        CudaStream[] streams = [.. contexts.Select(c => c.NewStream())];
        CudaModule[] modules = [.. contexts.Select(c => c.Load("driver_tests.sm_80", TestPtx.Read(CudaTarget.Sm80)))];
        DeviceBuffer[] buffers = [.. contexts.Select(c => c.Allocate(1024))];
        CudaFunction[] adds = [.. modules.Select(m => m.Function("add_f32"))];
        for (int round = 0; round < 10; round++)
        {
            for (int d = 0; d < contexts.Length; d++)
            {
                if (round == 0)
                {
                    streams[d].Fill(buffers[d].Pointer, 0, 1024);
                }

                adds[d].Launch(streams[d], new LaunchShape(1, 1, 1, 256), new AddArgs { In = buffers[d].Pointer, Out = buffers[d].Pointer, Count = 256, Value = d + 1 });
            }
        }

        for (int d = 0; d < contexts.Length; d++)
        {
            Assert.All(gpu.Download<float>(streams[d], buffers[d], 256), v => Assert.Equal(10f * (d + 1), v));
            contexts[d].Dispose();
            modules[d].Dispose();
            buffers[d].Dispose();
            streams[d].Dispose();
        }

        using CudaStream other = gpu.Context.NewStream();
        if (contexts.Length > 1)
        {
            Assert.Throws<ArgumentException>(() => adds[1].Launch(other, new LaunchShape(1, 1, 1, 256), default(AddArgs)));
        }
    }

    private static byte[] Bytes(int count)
    {
        byte[] data = new byte[count];
        new Random(count).NextBytes(data);
        return data;
    }
}
