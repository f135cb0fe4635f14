namespace Peer;

// Decides for how long a product's lease is kept, and for how long the next batch waits for
// callers. It has neither clock nor timer: the queue asks it. A lease is kept for as long as
// requests come. Where others want it, it is yielded after TenureMs. All times are
// Environment.TickCount64's.
sealed class Tenure
{
    public const int YieldMs = 250; // longer than anybody's wait between two tries for the lease
    public const int AnnounceAfterMs = 150, AnnounceEveryMs = 1000; // whoever has waited for the lease for so long says so, again and again
    public const int LingerMs = 5;
    public const int MaxVainLingers = 16;
    public const int TenureMs = 400;
    const int ContentionMs = 10_000; // others are expected for so long after the last sign of them
    const int CheckMs = 1000; // between two looks for an announcement
    const int WindowShare = 10; // the window is a tenth of a commit
    public const int Windows = 3; // in a row, while callers return
    const int CommitWeight = 8; // of the last commits in the moving average
    const int MostSkipped = 5; // at most 2 to the power of so many windows are left out in a row
    static readonly TimeSpan LongestWindow = TimeSpan.FromMilliseconds(50);

    long since, released = -YieldMs, contendedUntil, lastCheck; // a short release does not count for `since`
    TimeSpan commit; // how long one takes, on average
    int missed; // windows in a row to which fewer than half of the callers came back
    int toSkip; // windows

    public int Expected { get; private set; } // callers that the next batch waits for

    public void Begin(long now, bool metOthers)
    {
        if (metOthers)
            NoteOthers(now);
        if (metOthers || now - released >= YieldMs)
            since = now;
    }

    public void End(long now) => (released, Expected) = (now, 0);

    public void NoteOthers(long now) => contendedUntil = now + ContentionMs;

    public bool ShouldYield(long now) => now < contendedUntil && now - since >= TenureMs;

    // Whether to look for an announcement now.
    public bool ShouldCheck(long now)
    {
        if (now < contendedUntil || now - Math.Max(since, lastCheck) < CheckMs)
            return false;
        lastCheck = now;
        return true;
    }

    // A commit of so many requests, while others were waiting already.
    public void NoteBatch(int answered, int waiting, TimeSpan duration)
    {
        commit = commit == default ? duration : commit + (duration - commit) / CommitWeight;
        Expected = toSkip > 0 ? 0 : Math.Min(answered + waiting, Store.MaxChanges);
        toSkip = Math.Max(0, toSkip - 1);
    }

    // Those that were just answered are about to come back; without them two half-full batches
    // would alternate.
    public TimeSpan Window => commit / WindowShare < LongestWindow ? commit / WindowShare : LongestWindow;

    // How many had come when the window was over. Where callers do not come back, windows are tried
    // ever more rarely.
    public void NoteWindow(int waiting)
    {
        if (Expected > 0 && 2 * waiting < Expected)
        {
            missed = Math.Min(missed + 1, MostSkipped);
            toSkip = 1 << missed;
        }
        else if (Expected > 0)
        {
            missed = 0;
        }
        Expected = 0;
    }
}
