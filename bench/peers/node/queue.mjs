// A product's requests queue up in this instance. While there are any, `run` takes the product's
// lease, applies all that wait in memory, commits them as one transaction, answers them, and looks
// again (group commit).
import * as storage from './storage.mjs';
import { ANNOUNCE_AFTER_MS, ANNOUNCE_EVERY_MS, LINGER_MS, MAX_CHANGES } from './tenure.mjs';
import { Tenure, WINDOWS, YIELD_MS } from './tenure.mjs';
import { log } from './log.mjs';

const ACQUIRE_TIMEOUT_MS = 10000;
const MAX_TRIES = 5;
const EXPIRE_SHARE = 50; // of a commit, kept for expired rows if so many wait to be deleted
const EXPIRE_FEW = 8; // that a commit deletes in any case
const WINDOW_ROUNDS = 2; // of the event loop, where the window is too short for a timer

const round = () => new Promise(setImmediate);
const minuteOfExpiry = () => Math.floor((Date.now() + storage.LIFETIME_MS) / 60000) * 60;

// A batch as it is decided: what is to be written, and what is known once it is.
class Transaction {
    changes = [];
    added = [];
    removed = [];
    deleted = 0; // of the expired rows

    constructor(cache) {
        this.expired = cache.expired;
        this.available = cache.product.available;
        this.freed = cache.freed;
    }

    // For how many more changes by requests there is room.
    get room() {
        const kept = Math.max(0, Math.min(EXPIRE_SHARE, this.expired.length) - this.deleted);
        return MAX_CHANGES - this.changes.length - kept;
    }

    // Makes the units of one more expired row available in the product's; false: there is none.
    deleteExpired() {
        if (this.deleted === this.expired.length) return false;
        const row = this.expired[this.deleted++];
        this.changes.push(['delete', row]);
        this.available += row.quantity;
        this.freed -= row.quantity;
        return true;
    }

    // Deletes as many expired rows as the requests change, and a few in any case.
    expireAlong() {
        const share = Math.max(this.changes.length - this.deleted, EXPIRE_FEW);
        while (this.deleted < share && this.changes.length < MAX_CHANGES && this.deleteExpired());
    }

    // False: there is no room for it.
    reserve(request) {
        const { customerId, quantity } = request;
        if (this.room < 1) return false;
        if (quantity <= this.available + this.freed) {
            while (quantity > this.available && this.changes.length + 1 < MAX_CHANGES && this.deleteExpired());
            if (quantity > this.available) return false;
            const reservation = storage.newReservation(customerId, quantity);
            this.available -= quantity;
            this.changes.push(['create', reservation]);
            this.added.push(reservation);
            request.out = { quantity, reservation };
        }
        return true;
    }

    // Takes up to the quantity from the customer's reservations, the first to expire first.
    release(request, rows) {
        let room = this.room;
        if (room < rows.length && this.changes.length > 0) return false;
        const { out, quantity, reservationId } = request;
        const now = Date.now();
        for (const row of rows) {
            if (out.quantity === quantity || room === 0) break;
            const isOther = reservationId && row.id !== reservationId;
            if (isOther || row.expiresAt <= now || this.changes.some(([, r]) => r.id === row.id)) continue;
            const units = Math.min(row.quantity, quantity - out.quantity);
            row.quantity -= units;
            out.quantity += units;
            room--;
            this.removed.push(row.id);
            this.changes.push([row.quantity === 0 ? 'delete' : 'update', row]);
            if (row.quantity > 0) this.added.push(row);
        }
        this.available += out.quantity;
        return true;
    }
}

class ProductQueue {
    waiting = [];
    isRunning = false;
    wanted = 0; // the runner is woken when so many wait
    wake = null;
    tenure = new Tenure();
    cache = null; // null: not known
    lastVersion = 0;
    isFresh = false; // the cache was read or committed under the lease in hand
    othersCommit = false; // between this instance's last two leases others have
    indexed = 0; // the minute of expiry that the index is known to have

    constructor(id) {
        this.id = id;
    }

    submit(request) {
        const now = performance.now();
        request.deadline = now + ACQUIRE_TIMEOUT_MS;
        return new Promise((resolve, reject) => {
            Object.assign(request, { resolve, reject });
            this.waiting.push(request);
            this.tenure.noteRequest(now);
            if (!this.isRunning) this.run();
            else if (this.waiting.length >= this.wanted) this.wake?.();
        });
    }

    // Until so many wait, or the time is over. Timers are no finer than a millisecond.
    async waitFor(count, limitMs) {
        if (limitMs < 1) {
            for (let i = 0; i < WINDOW_ROUNDS && this.waiting.length < count; i++) await round();
        } else if (this.waiting.length < count) {
            await new Promise((resolve) => {
                const timer = setTimeout(resolve, limitMs);
                this.wanted = count;
                this.wake = () => {
                    this.wake = null;
                    clearTimeout(timer);
                    setImmediate(resolve); // those that came with it are let in, too
                };
            });
            this.wake = null;
        }
    }

    async run() {
        this.isRunning = true;
        while (this.waiting.length > 0) {
            const { invocation } = this.waiting[0];
            let lease;
            try {
                lease = await this.acquire();
            } catch (e) {
                this.fail(e);
                continue;
            }
            log(`✓ Acquired lease ${lease.id} for product ${this.id} [invocation ${invocation}]`);
            const yields = await this.serveTenure(lease);
            log(`Releasing lease ${lease.id} for product ${this.id}`);
            await lease.release();
            this.tenure.end(performance.now());
            if (yields) await storage.sleep(YIELD_MS);
        }
        this.isRunning = false;
    }

    // Answers those whose time is up, or all where it is not about others who have the lease.
    fail(e) {
        const now = performance.now();
        const isPatient = (r) => e instanceof storage.Conflict && now < r.deadline;
        const ended = this.waiting.filter((r) => !isPatient(r));
        this.waiting = this.waiting.filter(isPatient);
        for (const request of ended) request.reject(e);
    }

    // ---- the lease

    // Sees to it that reconciliation will look at the product when reservations of now expire.
    async index(minute) {
        if (this.indexed === minute) return;
        await storage.indexExpiry(this.id, minute);
        this.indexed = minute;
    }

    // Writes the index row at the same time: it must only be there before the commit.
    async acquire() {
        const begun = performance.now();
        let metOthers = false, announced = -Infinity;
        const onConflict = () => {
            const now = performance.now();
            metOthers = true;
            if (now - begun < ANNOUNCE_AFTER_MS || now - announced < ANNOUNCE_EVERY_MS) return;
            announced = now;
            storage.announce(this.id).catch((e) => console.error(`warn: announcing a wait: ${e.message}`));
        };
        this.indexed = Math.max(this.indexed, this.cache?.product.indexed ?? 0);
        const [acquired, indexed] = await Promise.allSettled([
            storage.acquireLease(`inventory-${this.id}`, this.waiting[0].deadline, onConflict),
            this.index(minuteOfExpiry()),
        ]);
        if (acquired.status === 'rejected') throw acquired.reason;
        if (indexed.status === 'rejected') {
            await acquired.value.release();
            throw indexed.reason;
        }
        this.tenure.begin(performance.now(), metOthers);
        this.isFresh = false;
        return acquired.value;
    }

    // Asks storage now and then, beside the batches: nobody but the others can say that they wait.
    async lookForOthers() {
        if (!this.tenure.shouldCheck(performance.now())) return;
        try {
            const at = await storage.announcedAt(this.id);
            if (Date.now() - at < 2 * ANNOUNCE_EVERY_MS) this.tenure.noteOthers(performance.now());
        } catch (e) {
            console.error(`warn: reading who waits for product ${this.id}: ${e.message}`);
        }
    }

    // Serves batches until nobody comes any more, or it is time to yield; then true.
    async serveTenure(lease) {
        while (lease.isHeld) {
            await this.collect();
            this.tenure.noteWindow(this.waiting.length);
            if (this.waiting.length === 0) {
                if (!(await this.linger())) return false;
                continue;
            }
            this.lookForOthers();
            await this.serve(lease, this.waiting.splice(0, MAX_CHANGES));
            if (this.tenure.shouldYield(performance.now())) return true;
        }
        return false;
    }

    // Waits for callers that are about to come back, and goes on while some do.
    async collect() {
        const { tenure, waiting } = this;
        for (let i = 0, before = -1; i < WINDOWS && waiting.length !== before; i++) {
            before = waiting.length;
            await this.waitFor(tenure.expected, tenure.windowMs());
            if (waiting.length >= tenure.expected) return;
        }
    }

    // Keeps the lease for those who may come back; false: nobody has, or did the last time.
    async linger() {
        this.tenure.idleSince = performance.now();
        if (!this.tenure.lingers) return false;
        await this.waitFor(1, LINGER_MS);
        return this.waiting.length > 0;
    }

    // ---- one batch

    async serve(lease, batch) {
        let decided = 0, failure;
        for (let tries = 0; tries < MAX_TRIES; tries++) {
            try {
                decided = await this.attempt(lease, batch);
                failure = undefined;
                break;
            } catch (e) {
                failure = e;
                decided = batch.length; // all of it shares the failure
                this.cache = null;
                if (e.statusCode !== 412) break;
            }
        }
        this.waiting.unshift(...batch.slice(decided));
        for (const request of batch.slice(0, decided)) {
            if (failure) request.reject(failure);
            else this.answer(lease, request);
        }
    }

    answer(lease, request) {
        const { action, invocation, out } = request;
        out.version = this.cache.product.version;
        if (out.quantity > 0) {
            const made = out.reservation ? ` Reservation: ${out.reservation.id}` : '';
            log(`✓ Successfully ${action}d ${out.quantity} units of ${this.id}.${made} ` +
                `Renewal count: ${lease.renewals} [invocation ${invocation}]`);
        }
        request.resolve(out);
    }

    // Makes the cache what is needed to decide now; true: it was. Where others commit, a read costs
    // less than a commit that storage refuses, and the read after it.
    async know() {
        const isKnown = this.cache && Date.now() <= this.cache.horizon;
        if (isKnown && (this.isFresh || !this.othersCommit)) {
            this.expire();
            return true;
        }
        const { horizon, product, rows } = await storage.read(this.id);
        this.cache = { horizon, product, soon: rows, expired: [], freed: 0 };
        this.expire();
        this.othersCommit = this.lastVersion !== 0 && product.version !== this.lastVersion;
        if (this.othersCommit) this.tenure.noteOthers(performance.now());
        this.isFresh = true;
        this.lastVersion = product.version;
        return false;
    }

    // Rows are in order of expiry, as all reservations last equally long.
    expire() {
        const now = Date.now();
        const { cache } = this;
        let count = 0;
        while (count < cache.soon.length && cache.soon[count].expiresAt <= now) count++;
        for (const row of cache.soon.splice(0, count)) {
            cache.expired.push(row);
            cache.freed += row.quantity;
        }
    }

    // Decides the batch and commits it. Returns how many requests it has decided; the others found
    // no room.
    async attempt(lease, batch) {
        const wasCached = await this.know();
        const t = new Transaction(this.cache);
        let decided = 0;
        for (const request of batch) {
            request.out = { quantity: 0 };
            const hasRoom =
                request.action === 'reserve'
                    ? t.reserve(request)
                    : t.release(request, await storage.readCustomer(this.id, request.customerId));
            if (!hasRoom) break;
            request.out.available = t.available + t.freed;
            decided++;
        }
        if (t.changes.length > 0) {
            t.expireAlong();
            await this.commit(lease, t, decided);
        } else if (wasCached) {
            // a refusal must not rest on what was true once
            throw Object.assign(new Error('the product may have changed'), { statusCode: 412 });
        }
        return decided;
    }

    async commit(lease, t, decided) {
        const { cache } = this;
        const indexed = minuteOfExpiry();
        await this.index(indexed);
        if (!lease.isHeld) throw new storage.LeaseLost();
        const version = cache.product.version + 1;
        const next = { ...cache.product, available: t.available, version, indexed };
        const begun = performance.now();
        next.etag = await storage.commit(this.id, next, t.changes);
        this.tenure.noteBatch(decided, this.waiting.length, performance.now() - begun);
        this.lastVersion = version;
        cache.product = next;
        cache.freed = t.freed;
        cache.expired.splice(0, t.deleted);
        if (t.removed.length > 0) cache.soon = cache.soon.filter((r) => !t.removed.includes(r.id));
        cache.soon.push(...t.added.filter((r) => r.expiresAt < cache.horizon));
    }
}

const queues = new Map();

// Carries the request out, and resolves when it is answered.
export function submit(id, request) {
    let queue = queues.get(id);
    if (!queue) queues.set(id, (queue = new ProductQueue(id)));
    return queue.submit(request);
}
