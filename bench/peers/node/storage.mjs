// Leases and rows, through the official SDKs.
import { randomBytes, randomUUID } from 'node:crypto';
import { BlobServiceClient } from '@azure/storage-blob';
import { TableClient } from '@azure/data-tables';
import { TENURE_MS, YIELD_MS } from './tenure.mjs';

export class Conflict extends Error {}
export class LeaseLost extends Error {}

const { CONNECTION_STRING, RESERVATION_LIFETIME_S } = process.env;
const container = BlobServiceClient.fromConnectionString(CONNECTION_STRING).getContainerClient('leases');
const table = TableClient.fromConnectionString(CONNECTION_STRING, 'inventory', {
    allowInsecureConnection: true,
});
const LEASE_S = 30;
const SAFE_SHARE = 0.9; // of the duration: past it the lease counts as lost
const FIRST_RETRY_MS = 50, LAST_RETRY_MS = 200, EAGER_RETRY_MS = 100;
const EAGER_AFTER_MS = TENURE_MS + YIELD_MS; // whoever has just yielded tries less often than the others
const HORIZON_MS = 60000; // of the reservations only those are read that expire so soon

export const LIFETIME_MS = Number(RESERVATION_LIFETIME_S ?? 30 * 60) * 1000;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Resolves where the error has that status: it is as good as success.
const ignore = (...statuses) => (e) => {
    if (!statuses.includes(e.statusCode)) throw e;
};

// ---- leases

// Renewed until it is released.
class Lease {
    renewals = 0;

    constructor(client, begun) {
        this.client = client;
        this.extend(begun);
    }

    get id() {
        return this.client.leaseId;
    }

    get isHeld() {
        return performance.now() < this.safeUntil;
    }

    extend(begun) {
        this.safeUntil = begun + LEASE_S * 1000 * SAFE_SHARE;
        this.timer = setTimeout(() => this.renew(), (LEASE_S * 2000) / 3);
    }

    async renew() {
        const begun = performance.now();
        try {
            await this.client.renewLease();
            this.renewals++;
            if (!this.isReleased) this.extend(begun);
        } catch (e) {
            this.safeUntil = 0;
            console.error(`warn: Lease ${this.id} lost: ${e.message}`);
        }
    }

    // Never fails its caller: what storage was not told, expiry does.
    async release() {
        this.isReleased = true;
        clearTimeout(this.timer);
        await this.client.releaseLease().catch((e) => {
            console.error(`warn: Lease ${this.id} was not released: ${e.message}`);
        });
    }
}

async function createBlob(blob, leaseName) {
    const metadata = { leaseName, createdAt: new Date().toISOString() };
    const upload = () => blob.upload('', 0, { metadata });
    try {
        await upload();
    } catch (e) {
        if (e.statusCode !== 404) return ignore(409, 412)(e); // somebody else has made and leased it
        await container.createIfNotExists();
        await upload().catch(ignore(409, 412));
    }
}

// Waits for others until the deadline (performance.now()'s). Calls onConflict whenever they have
// the lease.
export async function acquireLease(name, deadline, onConflict) {
    const blob = container.getBlockBlobClient(`lease-${name}`);
    const client = blob.getBlobLeaseClient(randomUUID());
    const started = performance.now();
    for (let wait = FIRST_RETRY_MS; ; ) {
        const begun = performance.now();
        try {
            await client.acquireLease(LEASE_S);
            return new Lease(client, begun);
        } catch (e) {
            if (e.statusCode === 404) {
                await createBlob(blob, name);
                continue;
            }
            ignore(409)(e);
        }
        onConflict();
        const left = deadline - performance.now();
        if (left <= 0) throw new Conflict();
        await sleep(Math.min(wait * (0.5 + Math.random() / 2), left));
        const longest = begun - started > EAGER_AFTER_MS ? EAGER_RETRY_MS : LAST_RETRY_MS;
        wait = Math.min(wait * 2, longest);
    }
}

// ---- rows: a product and its reservations are one partition

const int64 = (value) => ({ type: 'Int64', value: String(value) });
const literal = (text) => `'${text.replaceAll("'", "''")}'`;

const productEntity = (id, p) => ({
    partitionKey: id,
    rowKey: 'product',
    total: int64(p.total),
    available: int64(p.available),
    version: int64(p.version),
    indexed: int64(p.indexed),
});

const reservationEntity = (id, r) => ({
    partitionKey: id,
    rowKey: `r-${r.id}`,
    customerId: r.customerId,
    quantity: int64(r.quantity),
    reservedAt: new Date(r.reservedAt),
    expiresAt: new Date(r.expiresAt),
});

const productOf = (e) => ({
    total: Number(e.total),
    available: Number(e.available),
    version: Number(e.version),
    indexed: Number(e.indexed ?? 0),
    etag: e.etag,
});

const reservationOf = (e) => ({
    id: e.rowKey.slice(2),
    customerId: e.customerId,
    quantity: Number(e.quantity),
    reservedAt: e.reservedAt.getTime(),
    expiresAt: e.expiresAt.getTime(),
});

// The ids of reservations begin with the time of expiry, so that they sort by it (version 8 of RFC
// 9562).
function firstId(expiresAt) {
    const hex = expiresAt.toString(16).padStart(12, '0');
    return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

export function newReservation(customerId, quantity) {
    const reservedAt = Date.now();
    const expiresAt = reservedAt + LIFETIME_MS;
    const hex = randomBytes(9).toString('hex'); // 3 digits, then 3, then 12
    const variant = '89ab'[parseInt(hex[15], 16) & 3];
    const id = `${firstId(expiresAt)}-8${hex.slice(0, 3)}-${variant}${hex.slice(3, 6)}-${hex.slice(6)}`;
    return { id, customerId, quantity, reservedAt, expiresAt };
}

async function query(id, condition) {
    const filter = `PartitionKey eq ${literal(id)} and RowKey ge 'product' and ${condition}`;
    let product;
    const rows = [];
    for await (const page of table.listEntities({ queryOptions: { filter } }).byPage()) {
        for (const e of page) {
            if (e.rowKey === 'product') product = productOf(e);
            else rows.push(reservationOf(e));
        }
    }
    if (!product) throw Object.assign(new Error('no such product'), { statusCode: 404 });
    return { product, rows };
}

export const readAll = (id) => query(id, "RowKey lt 'r.'");

export async function readCustomer(id, customerId) {
    const customer = `(RowKey eq 'product' or customerId eq ${literal(customerId)})`;
    return (await query(id, `RowKey lt 'r.' and ${customer}`)).rows;
}

// What is needed to reserve: the product, and what expires soon or has expired.
export async function read(id) {
    const horizon = Date.now() + HORIZON_MS;
    return { horizon, ...(await query(id, `RowKey lt 'r-${firstId(horizon)}'`)) };
}

// Writes the product as it is to be, and the changes ([action, reservation]), as one transaction
// that is bound to the ETag read. Returns the new one.
export async function commit(id, product, changes) {
    const actions = changes.map(([action, row]) => {
        if (action === 'delete') return ['delete', { partitionKey: id, rowKey: `r-${row.id}` }];
        if (action === 'create') return ['create', reservationEntity(id, row)];
        return ['update', reservationEntity(id, row), 'Merge', { etag: '*' }];
    });
    const first = ['update', productEntity(id, product), 'Merge', { etag: product.etag }];
    const answer = await table.submitTransaction([first, ...actions]);
    return answer.subResponses[0].etag;
}

// Notes that reservations of the product expire in that minute, for whoever reconciles.
export const indexExpiry = (id, minute) =>
    table
        .createEntity({ partitionKey: '!due', rowKey: `${String(minute).padStart(13, '0')}-${id}` })
        .catch(ignore(409));

// Tells the lease's holder that this instance waits for it.
export const announce = (id) => table.upsertEntity({ partitionKey: id, rowKey: 'waiting' }, 'Replace');

// When somebody has done so last.
export async function announcedAt(id) {
    const row = await table.getEntity(id, 'waiting').catch(ignore(404));
    return row ? new Date(row.timestamp).getTime() : 0;
}

export async function seed(products) {
    await table.createTable();
    for (const part of products.split(';').filter(Boolean)) {
        const [id, total] = part.split('=');
        const product = { total, available: total, version: 1, indexed: 0 };
        await table.createEntity(productEntity(id, product)).catch(ignore(409));
    }
}
