using System.Net;

namespace Peer;

sealed class ConflictException : Exception;
sealed class LeaseLostException : Exception;

// Acquires leases, and renews them until they are released.
sealed class LeaseManager(StorageRequests requests, LineLog log)
{
    public LineLog Log => log;

    const int DurationS = 30;
    const double SafeShare = 0.9; // of the duration: past it the lease counts as lost
    static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50), LastRetry = TimeSpan.FromMilliseconds(200),
        EagerRetry = TimeSpan.FromMilliseconds(100);
    const long EagerAfterMs = Tenure.TenureMs + Tenure.YieldMs; // whoever has just yielded tries less often than the others

    Task<HttpStatusCode> ActAsync(string blob, CancellationToken cancel, params (string, string)[] headers) =>
        requests.PutBlobAsync("/leases/" + blob, "?comp=lease", "\ncomp:lease", cancel, headers);

    public async Task<Lease> AcquireAsync(string name, long deadline, Action onConflict)
    {
        string blob = "lease-" + name, id = Guid.NewGuid().ToString();
        var started = Environment.TickCount64;
        for (var wait = FirstRetry; ;)
        {
            var begun = Environment.TickCount64;
            var status = await ActAsync(blob, default, ("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", DurationS.ToString()),
                ("x-ms-proposed-lease-id", id));
            if (status == HttpStatusCode.Created)
                return new Lease(this, blob, id, begun);
            if (status == HttpStatusCode.NotFound)
            {
                await CreateAsync(blob, name);
                continue;
            }
            if (status != HttpStatusCode.Conflict)
                StorageRequests.Check("acquiring a lease", (int)status);
            onConflict();
            var left = TimeSpan.FromMilliseconds(deadline - Environment.TickCount64);
            if (left <= TimeSpan.Zero)
                throw new ConflictException();
            var pause = wait * (0.5 + Random.Shared.NextDouble() / 2);
            await Task.Delay(pause < left ? pause : left);
            var longest = begun - started > EagerAfterMs ? EagerRetry : LastRetry;
            wait = wait * 2 < longest ? wait * 2 : longest;
        }
    }

    // A blob that somebody else has made and leased is as good.
    async Task CreateAsync(string blob, string name)
    {
        Task<HttpStatusCode> UploadAsync() => requests.PutBlobAsync("/leases/" + blob, "", "", default, ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-meta-createdat", Store.Time(DateTime.UtcNow)), ("x-ms-meta-leasename", name));
        var status = await UploadAsync();
        if (status == HttpStatusCode.NotFound)
        {
            await requests.PutBlobAsync("/leases", "?restype=container", "\nrestype:container", default);
            status = await UploadAsync();
        }
        if (status is not (HttpStatusCode.Conflict or HttpStatusCode.PreconditionFailed))
            StorageRequests.Check("making a lease's blob", (int)status);
    }

    public sealed class Lease
    {
        readonly LeaseManager manager;
        readonly string blob;
        readonly CancellationTokenSource released = new();
        long safeUntil;

        public string Id { get; }
        public int Renewals { get; private set; }
        public bool IsHeld => Environment.TickCount64 < Volatile.Read(ref safeUntil);

        public Lease(LeaseManager manager, string blob, string id, long begun)
        {
            (this.manager, this.blob, Id) = (manager, blob, id);
            safeUntil = begun + (long)(DurationS * 1000 * SafeShare);
            _ = RenewAsync();
        }

        async Task RenewAsync()
        {
            try
            {
                while (true)
                {
                    await Task.Delay(TimeSpan.FromSeconds(DurationS * 2 / 3.0), released.Token);
                    var begun = Environment.TickCount64;
                    var status = await manager.ActAsync(blob, released.Token, ("x-ms-lease-action", "renew"), ("x-ms-lease-id", Id));
                    if (status != HttpStatusCode.OK)
                        throw new HttpRequestException($"status {(int)status}");
                    Renewals++;
                    Volatile.Write(ref safeUntil, begun + (long)(DurationS * 1000 * SafeShare));
                    manager.Log.Write($"Lease {Id} renewed.");
                }
            }
            catch (Exception e) when (!released.IsCancellationRequested)
            {
                Volatile.Write(ref safeUntil, 0);
                manager.Log.Write($"warn: Lease {Id} lost: {e.Message}");
            }
            catch (OperationCanceledException)
            {
                // released
            }
        }

        // Never fails its caller: what storage was not told, expiry does.
        public async Task ReleaseAsync()
        {
            released.Cancel();
            try
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
                await manager.ActAsync(blob, limit.Token, ("x-ms-lease-action", "release"), ("x-ms-lease-id", Id));
            }
            catch (Exception e)
            {
                manager.Log.Write($"warn: Lease {Id} was not released: {e.Message}");
            }
        }
    }
}
