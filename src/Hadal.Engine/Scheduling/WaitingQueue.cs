using System.Runtime.InteropServices;
using Hadal.Engine.Requests;

namespace Hadal.Engine.Scheduling;

/// <summary>
/// Who waits, and who starts next: first what has run before (preempted sequences, further choices), then the most urgent class,
/// in a class the tenant that got the fewest tokens, and of a tenant whoever came first. One thread; allocates only for new lanes and tenants.
/// </summary>
/// <remarks>
/// <para>Ageing: a lane (a class of a tenant) that got nothing for an <see cref="EngineOptions.AgeingInterval"/> counts as a class more urgent, without end.
/// So every lane's first gets its turn, and being first in a lane is a matter of arrival: nobody starves. It is the lane that ages, not each request,
/// or else who floods a class would outrank it with what has to wait behind its own requests.</para>
/// <para>Fair shares are start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) over tokens: a tenant's clock advances with the tokens computed for it, and one that was
/// away begins at the clock of whoever is served now, so that nobody saves up idle time.</para>
/// </remarks>
internal sealed class WaitingQueue(in RequestClock clock)
{
    private const int MaxIdleTenants = 1024;

    private readonly RequestClock _clock = clock;
    private readonly SequenceQueue _resumed = new();
    private readonly Dictionary<(int Priority, TenantShare Tenant), Lane> _lanes = [];
    private readonly List<Lane> _occupied = [];
    private readonly Dictionary<string, TenantShare> _tenants = new(StringComparer.Ordinal);
    private long _virtualTime;

    public int Count { get; private set; }

    /// <summary>Those that have run before and wait again.</summary>
    public int NumResumed => _resumed.Count;

    /// <summary>Opens or finds the request's account.</summary>
    public void Join(Request request)
    {
        ref TenantShare? tenant = ref CollectionsMarshal.GetValueRefOrAddDefault(_tenants, request.TenantName, out _);
        request.Share = tenant ??= new TenantShare(request.TenantName);
        tenant.NumUnfinished++;
    }

    /// <summary>The request has ended.</summary>
    public void Leave(Request request)
    {
        if (request.Share is { } tenant && --tenant.NumUnfinished == 0 && (tenant.VirtualTime <= _virtualTime || _tenants.Count > MaxIdleTenants))
            _tenants.Remove(tenant.Name);
    }

    public void Insert(Sequence s)
    {
        Count++;
        if (s.Request.HasStarted)
        {
            _resumed.Insert(s);
            return;
        }

        TenantShare tenant = s.Request.Share!;
        ref Lane? lane = ref CollectionsMarshal.GetValueRefOrAddDefault(_lanes, (s.Request.Priority, tenant), out _);
        lane ??= new Lane(s.Request.Priority, tenant);
        if (lane.Queue.Count == 0)
        {
            if (tenant.NumLanes++ == 0)
                tenant.VirtualTime = Math.Max(tenant.VirtualTime, _virtualTime);
            _occupied.Add(lane);
        }

        lane.Queue.Insert(s);
    }

    /// <summary>Takes a sequence out, wherever it waits.</summary>
    public void Remove(Sequence s)
    {
        SequenceQueue queue = s.Queue!;
        queue.Remove(s);
        Count--;
        if (queue == _resumed || queue.Count > 0)
            return;
        Lane lane = _lanes[(s.Request.Priority, s.Request.Share!)];
        lane.Tenant.NumLanes--;
        _occupied.Remove(lane);
        _lanes.Remove((lane.Priority, lane.Tenant));
    }

    /// <summary>Takes out the one that <see cref="Peek"/> gave, because it starts.</summary>
    public void Start(Sequence s)
    {
        if (s.Queue != _resumed)
        {
            _virtualTime = Math.Max(_virtualTime, s.Request.Share!.VirtualTime);
            _lanes[(s.Request.Priority, s.Request.Share)].LastServedTimestamp = _clock.Now;
        }

        Remove(s);
    }

    /// <summary>Who is to start next; null if nobody waits.</summary>
    public Sequence? Peek()
    {
        if (_resumed.First is { } resumed)
            return resumed;
        if (_occupied.Count <= 1)
            return _occupied.Count == 0 ? null : _occupied[0].Queue.First;
        long now = _clock.Now;
        Lane? best = null;
        long bestClass = 0;
        foreach (Lane lane in _occupied)
        {
            long laneClass = lane.Priority - ((now - lane.WaitsSince) / _clock.AgeingTicks);
            if (best is null || IsBefore(lane, laneClass, best, bestClass))
                (best, bestClass) = (lane, laneClass);
        }

        return best!.Queue.First;
    }

    private static bool IsBefore(Lane a, long classOfA, Lane b, long classOfB)
    {
        if (classOfA != classOfB)
            return classOfA < classOfB;
        if (a.Tenant.VirtualTime != b.Tenant.VirtualTime)
            return a.Tenant.VirtualTime < b.Tenant.VirtualTime;
        return a.Queue.First!.Request.Order < b.Queue.First!.Request.Order;
    }

    private sealed class Lane(int priority, TenantShare tenant)
    {
        public int Priority { get; } = priority;

        public TenantShare Tenant { get; } = tenant;

        public SequenceQueue Queue { get; } = new();

        public long LastServedTimestamp { get; set; } = long.MinValue;

        public long WaitsSince => Math.Max(Queue.First!.Request.SubmittedTimestamp, LastServedTimestamp);
    }
}
