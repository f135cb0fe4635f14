export const TENURE_MS = 400;
const CONTENTION_MS = 10000; // others are expected for so long after the last sign of them
const CHECK_MS = 1000; // between two looks for an announcement
const WINDOW_SHARE = 10; // the window is a tenth of a commit,
const LONGEST_WINDOW_MS = 50;
const COMMIT_WEIGHT = 8; // of the last commits in the moving average
const MOST_SKIPPED = 5; // at most 2 to the power of so many windows are left out in a row

export const MAX_CHANGES = 99; // a transaction has 100 operations; one is the product's own row
export const WINDOWS = 3; // in a row, while callers return
export const YIELD_MS = 250; // longer than anybody's wait between two tries for the lease
export const ANNOUNCE_AFTER_MS = 150; // whoever has waited for the lease for so long says so,
export const ANNOUNCE_EVERY_MS = 1000; // and says so again
export const LINGER_MS = 5;
const MAX_MISSED_LINGERS = 16;

// Decides for how long a product's lease is kept, and for how long the next batch waits for
// callers. A lease is kept for as long as requests come. Where others want it, it is yielded after
// TENURE_MS. Times are performance.now()'s.
export class Tenure {
    since = 0; // when the lease was acquired; a short release in between does not count
    released = -Infinity;
    contendedUntil = 0;
    checked = 0;
    idleSince = null; // when nobody waited any more; null: somebody does
    vainLingers = 0; // how often in a row nobody came back in time
    commitMs = null; // how long one takes, on average
    expected = 0; // callers that the next batch waits for
    missed = 0; // windows in a row to which fewer than half of the callers came back
    toSkip = 0; // windows

    begin(now, metOthers) {
        if (metOthers) this.noteOthers(now);
        if (metOthers || now - this.released >= YIELD_MS) this.since = now;
    }

    end(now) {
        this.released = now;
        this.expected = 0;
    }

    noteOthers(now) {
        this.contendedUntil = now + CONTENTION_MS;
    }

    shouldYield(now) {
        return now < this.contendedUntil && now - this.since >= TENURE_MS;
    }

    // Whether to look for an announcement now.
    shouldCheck(now) {
        const last = Math.max(this.since, this.checked);
        if (now < this.contendedUntil || now - last < CHECK_MS) return false;
        this.checked = now;
        return true;
    }

    get lingers() {
        return this.vainLingers < MAX_MISSED_LINGERS;
    }

    noteRequest(now) {
        if (this.idleSince === null) return;
        this.vainLingers = now - this.idleSince <= LINGER_MS ? 0 : this.vainLingers + 1;
        this.idleSince = null;
    }

    // A commit of so many requests, while others were waiting already.
    noteBatch(answered, waiting, durationMs) {
        this.commitMs ??= durationMs;
        this.commitMs += (durationMs - this.commitMs) / COMMIT_WEIGHT;
        this.expected = this.toSkip > 0 ? 0 : Math.min(answered + waiting, MAX_CHANGES);
        this.toSkip = Math.max(0, this.toSkip - 1);
    }

    // Those that were just answered are about to come back; without them two half-full batches
    // would alternate.
    windowMs() {
        return Math.min((this.commitMs ?? 0) / WINDOW_SHARE, LONGEST_WINDOW_MS);
    }

    // How many had come when the window was over. Where callers do not come back, windows are tried
    // ever more rarely.
    noteWindow(waiting) {
        if (this.expected > 0 && 2 * waiting < this.expected) {
            this.missed = Math.min(this.missed + 1, MOST_SKIPPED);
            this.toSkip = 2 ** this.missed;
        } else if (this.expected > 0) {
            this.missed = 0;
        }
        this.expected = 0;
    }
}
