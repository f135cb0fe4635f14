using System.Collections.Concurrent;
using System.Diagnostics;

namespace Peer;

enum Operation { Reserve, Release }

record struct Outcome(bool Done, long Quantity, long Available, long Version, string? ReservationId, DateTime ExpiresAt);

sealed class ChangeRequest(Operation operation, string invocation, string customer, string? reservationId, long quantity)
{
    public Operation Operation => operation;
    public string Invocation => invocation;
    public string Customer => customer;
    public string? ReservationId => reservationId;
    public long Quantity => quantity;
    public long Deadline { get; } = Environment.TickCount64 + ProductQueue.AcquireTimeoutMs;
    public TaskCompletionSource<Outcome> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    public Outcome Out;
}

sealed class Queues(Store store, LeaseManager leases, LineLog log)
{
    readonly ConcurrentDictionary<string, ProductQueue> byId = new();

    public Task<Outcome> SubmitAsync(string id, ChangeRequest request) =>
        byId.GetOrAdd(id, static (id, s) => new ProductQueue(id, s.store, s.leases, s.log), (store, leases, log)).SubmitAsync(request);
}

// A product's requests queue up in this instance. While there are any, one task runs the queue: it
// takes the product's lease, applies all that wait in memory, commits them as one transaction,
// answers them, and looks again (group commit).
sealed class ProductQueue(string id, Store store, LeaseManager leases, LineLog log)
{
    public const int AcquireTimeoutMs = 10_000;
    static readonly TimeSpan CommitTime = TimeSpan.FromSeconds(5), OneTick = TimeSpan.FromMilliseconds(1);
    const int MaxTries = 5, WindowRounds = 2;

    readonly Lock gate = new(); // guards the next six fields
    readonly List<ChangeRequest> waiting = [];
    bool running;
    int wanted; // the runner is woken when so many wait
    TaskCompletionSource? wake;
    long idleSince = -1; // when nobody waited any more; -1: somebody does
    int vainLingers; // how often in a row nobody came back in time

    volatile bool othersWait; // another instance has announced that it waits

    // The runner's.
    readonly Tenure tenure = new();
    CachedProduct? cache; // null: not known
    long lastVersion;
    bool isFresh; // the cache was read or committed under the lease in hand
    bool othersCommit; // between this instance's last two leases others have
    long indexed; // the minute of expiry that the index is known to have

    // ---- the queue

    public Task<Outcome> SubmitAsync(ChangeRequest request)
    {
        bool starts;
        TaskCompletionSource? woken = null;
        lock (gate)
        {
            waiting.Add(request);
            if (idleSince >= 0)
                (vainLingers, idleSince) = (Environment.TickCount64 - idleSince <= Tenure.LingerMs ? 0 : vainLingers + 1, -1);
            starts = !running;
            running = true;
            if (wake != null && waiting.Count >= wanted)
                (woken, wake) = (wake, null);
        }
        woken?.TrySetResult();
        if (starts)
            _ = Task.Run(RunAsync);
        return request.Answer.Task;
    }

    // Until so many wait, or the time is over. Timers are no finer than a millisecond: less is two
    // rounds of the thread pool's queue.
    async Task WaitForAsync(int count, TimeSpan limit)
    {
        for (var round = 0; limit < OneTick && round < WindowRounds && Length() < count; round++)
            await Task.Yield();
        TaskCompletionSource signal;
        lock (gate)
        {
            if (waiting.Count >= count || limit < OneTick)
                return;
            signal = wake = new(TaskCreationOptions.RunContinuationsAsynchronously);
            wanted = count;
        }
        try
        {
            await signal.Task.WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            lock (gate)
                wake = null;
        }
    }

    int Length()
    {
        lock (gate)
            return waiting.Count;
    }

    List<ChangeRequest> Take(int most)
    {
        lock (gate)
        {
            var batch = waiting.GetRange(0, Math.Min(most, waiting.Count));
            waiting.RemoveRange(0, batch.Count);
            return batch;
        }
    }

    // Makes those from `begin` on the first again.
    void PutBack(List<ChangeRequest> batch, int begin)
    {
        lock (gate)
        {
            waiting.InsertRange(0, batch[begin..]);
        }
    }

    // The request that has waited longest; null ends the run.
    ChangeRequest? First()
    {
        lock (gate)
        {
            running = waiting.Count > 0;
            return waiting.FirstOrDefault();
        }
    }

    async Task RunAsync()
    {
        while (First() is { } first)
        {
            LeaseManager.Lease lease;
            try
            {
                lease = await AcquireAsync(first);
            }
            catch (Exception e)
            {
                Fail(e);
                continue;
            }
            log.Write($"✓ Acquired lease {lease.Id} for product {id} [invocation {first.Invocation}]");
            var yields = await ServeTenureAsync(lease);
            log.Write($"Releasing lease {lease.Id} for product {id}");
            await lease.ReleaseAsync();
            tenure.End(Environment.TickCount64);
            if (yields)
                await Task.Delay(Tenure.YieldMs);
        }
    }

    // Answers those whose time is up, or all where it is not about others who have the lease.
    void Fail(Exception failure)
    {
        var now = Environment.TickCount64;
        var all = Take(int.MaxValue);
        var patient = failure is ConflictException ? all.FindAll(r => now < r.Deadline) : [];
        PutBack(patient, 0);
        foreach (var request in all.Except(patient))
            request.Answer.SetException(failure);
    }

    // ---- the lease

    long Minute() => new DateTimeOffset(DateTime.UtcNow + store.Lifetime).ToUnixTimeSeconds() / 60 * 60;

    // Sees to it that reconciliation will look at the product when reservations of now expire.
    async Task IndexAsync(long minute, CancellationToken cancel)
    {
        if (indexed != minute)
        {
            await store.IndexAsync(id, minute, cancel);
            indexed = minute;
        }
    }

    // Writes the index row at the same time: it must only be there before the commit.
    async Task<LeaseManager.Lease> AcquireAsync(ChangeRequest first)
    {
        indexed = Math.Max(indexed, cache?.Product.Indexed ?? 0);
        var index = IndexAsync(Minute(), default);
        var begun = Environment.TickCount64;
        long? announced = null;
        var metOthers = false;
        var lease = await leases.AcquireAsync("inventory-" + id, first.Deadline, () =>
        {
            var now = Environment.TickCount64;
            metOthers = true;
            if (now - begun >= Tenure.AnnounceAfterMs && !(now - announced < Tenure.AnnounceEveryMs))
            {
                announced = now;
                Announce();
            }
        });
        try
        {
            await index;
        }
        catch
        {
            await lease.ReleaseAsync();
            throw;
        }
        tenure.Begin(Environment.TickCount64, metOthers);
        isFresh = false;
        return lease;
    }

    void Announce() => store.AnnounceAsync(id).ContinueWith(t => log.Write($"warn: announcing a wait: {t.Exception!.InnerException!.Message}"),
        TaskContinuationOptions.OnlyOnFaulted);

    // Asks storage now and then, beside the batches: nobody but the others can say that they wait.
    void LookForOthers()
    {
        var now = Environment.TickCount64;
        if (othersWait)
        {
            othersWait = false;
            tenure.NoteOthers(now);
        }
        if (tenure.ShouldCheck(now))
            _ = ReadAnnouncementAsync();
    }

    async Task ReadAnnouncementAsync()
    {
        try
        {
            var at = await store.AnnouncedAsync(id);
            if (DateTime.UtcNow - at < TimeSpan.FromMilliseconds(2 * Tenure.AnnounceEveryMs))
                othersWait = true;
        }
        catch (Exception e)
        {
            log.Write($"warn: reading who waits for product {id}: {e.Message}");
        }
    }

    // Serves batches until nobody comes any more, or it is time to yield; then true.
    async Task<bool> ServeTenureAsync(LeaseManager.Lease lease)
    {
        while (lease.IsHeld)
        {
            await CollectAsync();
            tenure.NoteWindow(Length());
            var batch = Take(Store.MaxChanges);
            if (batch.Count == 0)
            {
                if (await LingerAsync())
                    continue;
                return false;
            }
            LookForOthers();
            await ServeAsync(lease, batch);
            if (tenure.ShouldYield(Environment.TickCount64))
                return true;
        }
        return false;
    }

    // Waits for callers that are about to come back, and goes on while some do.
    async Task CollectAsync()
    {
        for (int i = 0, before = -1; i < Tenure.Windows && Length() != before && Length() < tenure.Expected; i++)
        {
            before = Length();
            await WaitForAsync(tenure.Expected, tenure.Window);
        }
    }

    // Keeps the lease for those who may come back; false: nobody has, or did for long.
    async Task<bool> LingerAsync()
    {
        lock (gate)
        {
            if (waiting.Count > 0)
                return true;
            idleSince = Environment.TickCount64;
            if (vainLingers >= Tenure.MaxVainLingers)
                return false;
        }
        await WaitForAsync(1, TimeSpan.FromMilliseconds(Tenure.LingerMs));
        return Length() > 0;
    }

    // ---- one batch

    async Task ServeAsync(LeaseManager.Lease lease, List<ChangeRequest> batch)
    {
        using var limit = new CancellationTokenSource(CommitTime);
        Exception? failure = null;
        var decided = 0;
        for (var tries = 0; tries < MaxTries; tries++)
        {
            try
            {
                decided = await AttemptAsync(lease, batch, limit.Token);
                failure = null;
                break;
            }
            catch (Exception e)
            {
                (failure, cache, decided) = (e, null, batch.Count); // all of it shares the failure
                if (e is not PreconditionException)
                    break;
            }
        }
        PutBack(batch, decided);
        for (var i = 0; i < decided; i++)
            Answer(lease, batch[i], failure);
    }

    void Answer(LeaseManager.Lease lease, ChangeRequest request, Exception? failure)
    {
        if (failure != null)
        {
            request.Answer.SetException(failure);
            return;
        }
        request.Out.Version = cache!.Product.Version;
        if (request.Out.Done)
            LogSuccess(lease, request);
        request.Answer.SetResult(request.Out);
    }

    void LogSuccess(LeaseManager.Lease lease, ChangeRequest request) => log.Write(request.Operation == Operation.Reserve
        ? $"✓ Successfully reserved {request.Quantity} units of {id}. Reservation: {request.Out.ReservationId} Renewal count: {lease.Renewals} [invocation {request.Invocation}]"
        : $"✓ Successfully released {request.Out.Quantity} units of {id}. Renewal count: {lease.Renewals} [invocation {request.Invocation}]");

    // Makes the cache what is needed to decide at that time; true: it was. Where others commit, a
    // read costs less than a commit that storage refuses, and the read after it.
    async Task<bool> KnowAsync(DateTime now, CancellationToken cancel)
    {
        if (cache != null && now <= cache.Horizon && (isFresh || !othersCommit))
        {
            cache.Expire(now);
            return true;
        }
        cache = await store.ReadAsync(id, now, cancel);
        othersCommit = lastVersion != 0 && cache.Product.Version != lastVersion;
        if (othersCommit)
            tenure.NoteOthers(Environment.TickCount64);
        (isFresh, lastVersion) = (true, cache.Product.Version);
        return false;
    }

    // Decides the batch and commits it. Returns how many requests it has decided; the others found
    // no room.
    async Task<int> AttemptAsync(LeaseManager.Lease lease, List<ChangeRequest> batch, CancellationToken cancel)
    {
        var now = DateTime.UtcNow;
        var wasCached = await KnowAsync(now, cancel);
        var t = new Transaction(cache!);
        var decided = 0;
        foreach (var request in batch)
        {
            request.Out = default;
            var hasRoom = request.Operation == Operation.Reserve
                ? t.Reserve(store, request, now)
                : t.Release(request, await store.ReadCustomerAsync(id, request.Customer, cancel), now);
            if (!hasRoom)
                break;
            decided++;
        }
        if (t.Changes.Count > 0)
        {
            t.ExpireAlong();
            await CommitAsync(lease, t, decided, cancel);
        }
        else if (wasCached)
        {
            throw new PreconditionException(); // a refusal must not rest on what was true once
        }
        return decided;
    }

    async Task CommitAsync(LeaseManager.Lease lease, Transaction t, int decided, CancellationToken cancel)
    {
        var minute = Minute();
        await IndexAsync(minute, cancel);
        if (!lease.IsHeld)
            throw new LeaseLostException();
        var before = cache!.Product;
        var next = before with { Available = t.Available, Version = before.Version + 1, Indexed = minute };
        var begun = Stopwatch.GetTimestamp();
        var etag = await store.CommitAsync(next, t.Changes, cancel);
        tenure.NoteBatch(decided, Length(), Stopwatch.GetElapsedTime(begun));
        lastVersion = next.Version;
        cache.Apply(t, next with { ETag = etag });
    }
}
