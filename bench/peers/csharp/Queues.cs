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
    public DateTime Deadline { get; } = DateTime.UtcNow + ProductQueue.AcquireTimeout;
    public TaskCompletionSource<Outcome> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    public Outcome Out;
}

sealed class Queues(Store store, LeaseManager leases, LineLog log)
{
    readonly ConcurrentDictionary<string, ProductQueue> byId = new();

    public Task<Outcome> SubmitAsync(string id, ChangeRequest request) =>
        byId.GetOrAdd(id, static (id, s) => new ProductQueue(id, s.store, s.leases, s.log), (store, leases, log)).SubmitAsync(request);
}

// A product's requests queue up in this instance. One task takes the product's lease, applies all that wait in memory, commits them as
// one transaction, answers them, and looks again (group commit). It keeps the lease for a few milliseconds after the queue is empty, and
// gives it back then or when its tenure is over and others wait.
sealed class ProductQueue(string id, Store store, LeaseManager leases, LineLog log)
{
    public static readonly TimeSpan AcquireTimeout = TimeSpan.FromSeconds(10);
    static readonly TimeSpan CommitTime = TimeSpan.FromSeconds(5), Tenure = TimeSpan.FromSeconds(1),
        YieldTime = TimeSpan.FromMilliseconds(250), AnnounceEvery = TimeSpan.FromMilliseconds(500), ContendedFor = TimeSpan.FromSeconds(2),
        LingerTime = TimeSpan.FromMilliseconds(5);
    const int IdleLingers = 4, LingerProbe = 16; // after so many in vain the lease is released at once, but for every so-manieth time
    const int MaxTries = 5;
    const int BusyBatch = Store.MaxChanges / 2; // requests in a batch while expired rows wait to be deleted
    const int GatherShare = 10; // a commit waits for a tenth of a round trip for callers that are about to return
    const int RoundTripWeight = 8; // of the last ones in the moving average

    readonly Lock gate = new();
    readonly Queue<ChangeRequest> waiting = new();
    bool running;
    int wanted; // the runner is woken when so many wait
    TaskCompletionSource? wake;

    // The runner's.
    CachedProduct? cache;
    long indexed; // the minute of expiry that the index is known to have
    DateTime contendedUntil, announcedAt, heardAt;
    int idleLingers, expected;
    TimeSpan roundTrip;

    public Task<Outcome> SubmitAsync(ChangeRequest request)
    {
        bool starts;
        TaskCompletionSource? woken = null;
        lock (gate)
        {
            waiting.Enqueue(request);
            starts = !running;
            running = true;
            if (wanted > 0 && waiting.Count >= wanted)
                (woken, wake, wanted) = (wake, null, 0);
        }
        woken?.TrySetResult();
        if (starts)
            _ = Task.Run(RunAsync);
        return request.Answer.Task;
    }

    // Until so many wait, or the time is over. Timers are no finer than a millisecond: less is no wait.
    async Task WaitForAsync(int count, TimeSpan limit)
    {
        TaskCompletionSource signal;
        lock (gate)
        {
            if (waiting.Count >= count || limit < TimeSpan.FromMilliseconds(1))
                return;
            signal = wake = new(TaskCreationOptions.RunContinuationsAsynchronously);
            wanted = count;
        }
        await Task.WhenAny(signal.Task, Task.Delay(limit));
        lock (gate)
            (wake, wanted) = (null, 0);
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
            var batch = new List<ChangeRequest>(Math.Min(most, waiting.Count));
            while (batch.Count < most && waiting.TryDequeue(out var request))
                batch.Add(request);
            return batch;
        }
    }

    // The request that has waited longest; null ends the run.
    ChangeRequest? First()
    {
        lock (gate)
        {
            running = waiting.TryPeek(out var first);
            return first;
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
            expected = 0;
            var yields = await ServeTenureAsync(lease);
            log.Write($"Releasing lease {lease.Id} for product {id}");
            await lease.ReleaseAsync();
            if (yields)
                await Task.Delay(YieldTime);
        }
    }

    // Answers those whose time is up, or all where it is not about others who have the lease.
    void Fail(Exception failure)
    {
        var now = DateTime.UtcNow;
        foreach (var request in Take(int.MaxValue))
        {
            if (failure is ConflictException && now < request.Deadline)
            {
                lock (gate)
                    waiting.Enqueue(request);
            }
            else
            {
                request.Answer.SetException(failure);
            }
        }
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
        var lease = await leases.AcquireAsync("inventory-" + id, first.Deadline, MeetOther);
        try
        {
            await index;
            return lease;
        }
        catch
        {
            await lease.ReleaseAsync();
            throw;
        }
    }

    // Notes that another instance has the lease, and lets it know that this one waits.
    void MeetOther()
    {
        var now = DateTime.UtcNow;
        contendedUntil = now + ContendedFor;
        if (now - announcedAt >= AnnounceEvery)
        {
            announcedAt = now;
            _ = store.AnnounceAsync(id).ContinueWith(t => log.Write($"warn: announcing a wait: {t.Exception!.InnerException!.Message}"),
                TaskContinuationOptions.OnlyOnFaulted);
        }
    }

    // Serves batches until nobody waits any more, or others want the lease; then true.
    async Task<bool> ServeTenureAsync(LeaseManager.Lease lease)
    {
        var until = DateTime.UtcNow + Tenure;
        Task<DateTime>? announced = null; // while storage is being asked
        while (true)
        {
            await WaitForAsync(Math.Min(expected, Store.MaxChanges), roundTrip / GatherShare); // or two half-full batches would alternate
            var batch = Take(cache is { Expired.Count: > 0 } ? BusyBatch : Store.MaxChanges);
            if (batch.Count == 0)
                return false;
            await ServeAsync(lease, batch);
            var now = DateTime.UtcNow;
            if (announced is { IsCompleted: true })
            {
                var isNew = announced.IsCompletedSuccessfully && announced.Result > heardAt;
                if (isNew)
                {
                    heardAt = announced.Result;
                    return true;
                }
                (announced, until) = (null, now + Tenure);
            }
            else if (announced == null && now > until)
            {
                if (now < contendedUntil)
                    return true;
                announced = store.AnnouncedAsync(id);
            }
            if (Length() == 0 && !await LingerAsync())
                return false;
        }
    }

    // Keeps the lease for those who may come back; false: nobody has, or did lately.
    async Task<bool> LingerAsync()
    {
        if (idleLingers >= IdleLingers && idleLingers++ % LingerProbe != 0)
            return false;
        await WaitForAsync(1, LingerTime);
        var some = Length() > 0;
        idleLingers = some ? 0 : idleLingers + 1;
        return some;
    }

    // ---- one batch

    async Task ServeAsync(LeaseManager.Lease lease, List<ChangeRequest> batch)
    {
        using var limit = new CancellationTokenSource(CommitTime);
        Exception? failure = null;
        for (var tries = 0; tries < MaxTries; tries++)
        {
            try
            {
                await AttemptAsync(lease, batch, limit.Token);
                failure = null;
                break;
            }
            catch (Exception e)
            {
                failure = e;
                cache = null;
                if (e is not PreconditionException)
                    break;
            }
        }
        expected = Length() + batch.Count;
        foreach (var request in batch)
        {
            if (failure != null)
            {
                request.Answer.SetException(failure);
                continue;
            }
            if (request.Out.Done)
                LogSuccess(lease, request);
            request.Answer.SetResult(request.Out);
        }
    }

    void LogSuccess(LeaseManager.Lease lease, ChangeRequest request) => log.Write(request.Operation == Operation.Reserve
        ? $"✓ Successfully reserved {request.Quantity} units of {id}. Reservation: {request.Out.ReservationId} Renewal count: {lease.Renewals} [invocation {request.Invocation}]"
        : $"✓ Successfully released {request.Out.Quantity} units of {id}. Renewal count: {lease.Renewals} [invocation {request.Invocation}]");

    // A batch as it is decided: what is to be written, and what is known once it is.
    sealed class Transaction(long available, long freed)
    {
        public long Available = available, Freed = freed;
        public readonly List<Change> Changes = [];
        public readonly List<Reservation> Added = [];
        public readonly List<string> Removed = [];
        public int Deleted; // of the expired ones
    }

    async Task AttemptAsync(LeaseManager.Lease lease, List<ChangeRequest> batch, CancellationToken cancel)
    {
        var now = DateTime.UtcNow;
        var isCached = cache != null && now <= cache.Horizon;
        if (isCached)
            cache!.Expire(now);
        else
            cache = await store.ReadAsync(id, now, cancel);
        var before = cache!.Product;
        var t = new Transaction(before.Available, cache.Freed);
        for (var i = 0; i < batch.Count; i++)
        {
            var room = Store.MaxChanges - t.Changes.Count - (batch.Count - 1 - i); // one change is left for each request behind it
            batch[i].Out = new Outcome { Version = before.Version + 1 };
            if (batch[i].Operation == Operation.Release)
                await ReleaseAsync(t, batch[i], room, now, cancel);
            else
                Reserve(t, batch[i], room, now);
            batch[i].Out.Available = t.Available + t.Freed;
        }
        if (t.Changes.Count == 0)
        {
            if (isCached)
                throw new PreconditionException(); // a refusal must not rest on what was true once
            return;
        }
        while (t.Changes.Count < Store.MaxChanges && DeleteExpired(t))
        {
        }
        var minute = Minute();
        await IndexAsync(minute, cancel);
        if (!lease.IsHeld)
            throw new LeaseLostException();
        var next = before with { Available = t.Available, Version = before.Version + 1, Indexed = minute };
        var begun = Stopwatch.GetTimestamp();
        var etag = await store.CommitAsync(next, t.Changes, cancel);
        roundTrip += (Stopwatch.GetElapsedTime(begun) - roundTrip) / RoundTripWeight;
        Apply(t, next with { ETag = etag });
    }

    void Reserve(Transaction t, ChangeRequest request, int room, DateTime now)
    {
        while (request.Quantity > t.Available && room > 1 && DeleteExpired(t))
            room--;
        if (request.Quantity > t.Available)
            return;
        var added = store.NewReservation(request.Customer, request.Quantity, now);
        t.Available -= request.Quantity;
        t.Changes.Add(new Change(ChangeKind.Insert, added));
        t.Added.Add(added);
        request.Out.Done = true;
        request.Out.ReservationId = added.Id;
        request.Out.ExpiresAt = added.ExpiresAt;
    }

    // Takes up to the quantity from the customer's reservations, the first to expire first.
    async Task ReleaseAsync(Transaction t, ChangeRequest request, int room, DateTime now, CancellationToken cancel)
    {
        foreach (var row in await store.ReadCustomerAsync(id, request.Customer, cancel))
        {
            if (request.Out.Quantity == request.Quantity || room == 0)
                break;
            if ((request.ReservationId != null && row.Id != request.ReservationId) || row.ExpiresAt <= now ||
                t.Changes.Any(c => c.Row.Id == row.Id))
                continue;
            var units = Math.Min(row.Quantity, request.Quantity - request.Out.Quantity);
            request.Out.Quantity += units;
            room--;
            t.Removed.Add(row.Id);
            var rest = row with { Quantity = row.Quantity - units };
            t.Changes.Add(new Change(rest.Quantity == 0 ? ChangeKind.Delete : ChangeKind.Merge, rest));
            if (rest.Quantity > 0)
                t.Added.Add(rest);
        }
        t.Available += request.Out.Quantity;
        request.Out.Done = request.Out.Quantity > 0;
    }

    // Makes the units of one more expired row available in the product's; false: there is none.
    bool DeleteExpired(Transaction t)
    {
        if (t.Deleted == cache!.Expired.Count)
            return false;
        var row = t.Deleted == 0 ? cache.Expired.Peek() : cache.Expired.ElementAt(t.Deleted);
        t.Deleted++;
        t.Changes.Add(new Change(ChangeKind.Delete, row));
        t.Available += row.Quantity;
        t.Freed -= row.Quantity;
        return true;
    }

    void Apply(Transaction t, Product after)
    {
        cache!.Product = after;
        cache.Freed = t.Freed;
        for (var i = 0; i < t.Deleted; i++)
            cache.Expired.Dequeue();
        t.Removed.ForEach(cache.Forget);
        t.Added.ForEach(cache.Add);
    }
}
