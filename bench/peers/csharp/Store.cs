using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Peer;

// Units that are in no reservation's row are available. `Indexed` is the minute of expiry that the
// index has a row for.
sealed record Product(string Id, long Total, long Available, long Version, long Indexed, string ETag);

sealed record Reservation(string Id, string CustomerId, long Quantity, DateTime ReservedAt, DateTime ExpiresAt);

enum ChangeKind { Insert, Merge, Delete }

readonly record struct Change(ChangeKind Kind, Reservation Row);

// What an instance knows of a product between commits: its row, and the reservations that expire
// before the horizon. A commit with the row's ETag proves it right, or fails.
sealed class CachedProduct(Product product, DateTime horizon)
{
    readonly PriorityQueue<Reservation, DateTime> soon = new();
    readonly HashSet<string> gone = []; // ids in `soon` that are no longer rows, or were changed

    public Product Product { get; set; } = product;
    public DateTime Horizon => horizon;
    public List<Reservation> Expired { get; } = []; // still rows in storage; their units count as available
    public long Freed { get; set; } // those units

    public void Add(Reservation row)
    {
        if (row.ExpiresAt < horizon)
            soon.Enqueue(row, row.ExpiresAt);
    }

    public void Forget(string id) => gone.Add(id);

    public void Expire(DateTime now)
    {
        while (soon.TryPeek(out var row, out var expires) && expires <= now)
        {
            soon.Dequeue();
            if (gone.Count > 0 && gone.Remove(row.Id))
                continue;
            Expired.Add(row);
            Freed += row.Quantity;
        }
    }

    // Makes it what a transaction has committed.
    public void Apply(Transaction t, Product after)
    {
        Product = after;
        Freed = t.Freed;
        Expired.RemoveRange(0, t.Deleted);
        t.Removed.ForEach(Forget);
        t.Added.ForEach(Add);
    }
}

// A product and its reservations are the rows of one partition.
sealed class Store(StorageRequests requests, TimeSpan lifetime)
{
    public const int MaxChanges = 99; // a transaction has 100 operations; one is the product's own row
    const string Table = "inventory", ProductRow = "product", WaitingRow = "waiting", Prefix = "r-", AllReservations = "RowKey lt 'r.'";
    static readonly TimeSpan HorizonTime = TimeSpan.FromMinutes(1); // of the reservations only those are read that expire so soon

    public TimeSpan Lifetime => lifetime;

    public static string Time(DateTime time) => time.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
    static string Literal(string text) => "'" + text.Replace("'", "''") + "'";
    static string EntityPath(string partition, string row) =>
        $"/{Table}(PartitionKey={Uri.EscapeDataString(Literal(partition))},RowKey={Uri.EscapeDataString(Literal(row))})";

    // ---- writing rows

    async Task ChangeAsync(HttpMethod method, string resource, Action<Utf8JsonWriter> write, CancellationToken cancel)
    {
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body))
            write(json);
        using var response = await requests.TableAsync(method, resource, "application/json", body.ToArray(), cancel, true);
        try
        {
            StorageRequests.Check($"{method} {resource}", (int)response.StatusCode);
        }
        catch (ExistsException)
        {
            // as good as made
        }
    }

    static void WriteInt64(Utf8JsonWriter json, string name, long value)
    {
        json.WriteString(name + "@odata.type", "Edm.Int64");
        json.WriteString(name, value.ToString(CultureInfo.InvariantCulture));
    }

    static void WriteTime(Utf8JsonWriter json, string name, DateTime value)
    {
        json.WriteString(name + "@odata.type", "Edm.DateTime");
        json.WriteString(name, Time(value));
    }

    static void WriteKeys(Utf8JsonWriter json, string partition, string row)
    {
        json.WriteStartObject();
        json.WriteString("PartitionKey", partition);
        json.WriteString("RowKey", row);
    }

    static void Write(Utf8JsonWriter json, Product p)
    {
        WriteKeys(json, p.Id, ProductRow);
        WriteInt64(json, "total", p.Total);
        WriteInt64(json, "available", p.Available);
        WriteInt64(json, "version", p.Version);
        WriteInt64(json, "indexed", p.Indexed);
        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, string productId, Reservation r)
    {
        WriteKeys(json, productId, Prefix + r.Id);
        json.WriteString("customerId", r.CustomerId);
        WriteInt64(json, "quantity", r.Quantity);
        WriteTime(json, "reservedAt", r.ReservedAt);
        WriteTime(json, "expiresAt", r.ExpiresAt);
        json.WriteEndObject();
    }

    static Action<Utf8JsonWriter> Keys(string partition, string row) => json =>
    {
        WriteKeys(json, partition, row);
        json.WriteEndObject();
    };

    public async Task SeedAsync(string products)
    {
        await ChangeAsync(HttpMethod.Post, "/Tables", json =>
        {
            json.WriteStartObject();
            json.WriteString("TableName", Table);
            json.WriteEndObject();
        }, default);
        foreach (var part in products.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            var (id, total) = (part[..part.IndexOf('=')], long.Parse(part[(part.IndexOf('=') + 1)..]));
            await ChangeAsync(HttpMethod.Post, "/" + Table, json => Write(json, new Product(id, total, total, 1, 0, "")), default);
        }
    }

    // Notes that reservations of the product expire in that minute, for whoever reconciles.
    public Task IndexAsync(string id, long minute, CancellationToken cancel) =>
        ChangeAsync(HttpMethod.Post, "/" + Table, Keys("!due", $"{minute:D13}-{id}"), cancel);

    // Tells the lease's holder that this instance waits for it.
    public Task AnnounceAsync(string id) => ChangeAsync(HttpMethod.Put, EntityPath(id, WaitingRow), Keys(id, WaitingRow), default);

    // When somebody has done so last.
    public async Task<DateTime> AnnouncedAsync(string id)
    {
        using var response = await requests.TableAsync(HttpMethod.Get, EntityPath(id, WaitingRow), null, null, default);
        if (response.StatusCode == System.Net.HttpStatusCode.NotFound)
            return default;
        StorageRequests.Check("reading who waits", (int)response.StatusCode);
        var row = await JsonSerializer.DeserializeAsync(await response.Content.ReadAsStreamAsync(), RowJson.Default.RowEntity);
        return row!.Timestamp;
    }

    // ---- reading

    async Task<(Product, List<Reservation>)> QueryAsync(string id, string condition, CancellationToken cancel)
    {
        var filter = Uri.EscapeDataString($"PartitionKey eq {Literal(id)} and RowKey ge '{ProductRow}' and {condition}");
        Product? product = null;
        var rows = new List<Reservation>();
        for (var next = ""; ;)
        {
            using var response = await requests.TableAsync(HttpMethod.Get, $"/{Table}()?$filter={filter}{next}", null, null, cancel);
            StorageRequests.Check("a query", (int)response.StatusCode);
            var page = await JsonSerializer.DeserializeAsync(await response.Content.ReadAsStreamAsync(cancel), RowJson.Default.Page, cancel);
            foreach (var e in page!.Value)
            {
                if (e.RowKey == ProductRow)
                    product = new Product(id, e.Total, e.Available, e.Version, e.Indexed, e.ETag!);
                else
                    rows.Add(new Reservation(e.RowKey[Prefix.Length..], e.CustomerId!, e.Quantity, e.ReservedAt.ToUniversalTime(),
                        e.ExpiresAt.ToUniversalTime()));
            }
            if (!response.Headers.TryGetValues("x-ms-continuation-NextPartitionKey", out var partition))
                return (product ?? throw new NotFoundException(), rows);
            next = $"&NextPartitionKey={partition.First()}&NextRowKey={response.Headers.GetValues("x-ms-continuation-NextRowKey").First()}";
        }
    }

    public Task<(Product, List<Reservation>)> ReadAllAsync(string id, CancellationToken cancel) => QueryAsync(id, AllReservations, cancel);

    public async Task<List<Reservation>> ReadCustomerAsync(string id, string customer, CancellationToken cancel)
    {
        var (_, rows) = await QueryAsync(id, $"{AllReservations} and (RowKey eq '{ProductRow}' or customerId eq {Literal(customer)})", cancel);
        return rows;
    }

    // Reads what is needed to reserve: the product, and what expires soon or has expired.
    public async Task<CachedProduct> ReadAsync(string id, DateTime now, CancellationToken cancel)
    {
        var horizon = now + HorizonTime;
        var (product, rows) = await QueryAsync(id, $"RowKey lt '{Prefix}{FirstId(horizon)}'", cancel);
        var cached = new CachedProduct(product, horizon);
        rows.ForEach(cached.Add);
        cached.Expire(now);
        return cached;
    }

    // ---- reservations: their ids begin with the time of expiry, so that they sort by it

    static long Milliseconds(DateTime time) => new DateTimeOffset(time).ToUnixTimeMilliseconds();

    static string FirstId(DateTime expires) => $"{Milliseconds(expires) >> 16:x8}-{Milliseconds(expires) & 0xffff:x4}";

    public Reservation NewReservation(string customer, long quantity, DateTime now)
    {
        var expires = now + lifetime;
        var id = string.Concat(FirstId(expires), "-8", Guid.NewGuid().ToString().AsSpan(15));
        return new Reservation(id, customer, quantity, now, expires);
    }

    // ---- commits

    // Writes the product as it is to be, and the changes, as one transaction that is bound to the
    // ETag read. Returns the new one.
    public async Task<string> CommitAsync(Product product, List<Change> changes, CancellationToken cancel)
    {
        string id = Guid.NewGuid().ToString(), boundary = "changeset_" + id, endpoint = requests.Account.TableEndpoint;
        var body = new ArrayBufferWriter<byte>(1024 + 768 * changes.Count);
        using var json = new Utf8JsonWriter(body);

        void Text(string text) => Encoding.UTF8.GetBytes(text, body);
        void Begin(string method, string target, string? ifMatch, bool hasBody)
        {
            body.Write("--"u8);
            Text(boundary);
            body.Write("\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"u8);
            Text(method);
            body.Write(" "u8);
            Text(target);
            body.Write(" HTTP/1.1\r\nAccept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0;\r\n"u8);
            body.Write(ifMatch == null ? "Prefer: return-no-content"u8 : "If-Match: "u8);
            Text(ifMatch ?? "");
            body.Write(hasBody ? "\r\nContent-Type: application/json\r\n\r\n"u8 : "\r\n\r\n\r\n"u8);
        }
        void End()
        {
            json.Flush();
            json.Reset();
            body.Write("\r\n"u8);
        }

        Text($"--batch_{id}\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
        Begin("MERGE", endpoint + EntityPath(product.Id, ProductRow), product.ETag, true);
        Write(json, product);
        End();
        var table = $"{endpoint}/{Table}";
        foreach (var (kind, row) in changes)
        {
            switch (kind)
            {
                case ChangeKind.Insert:
                    Begin("POST", table, null, true);
                    Write(json, product.Id, row);
                    End();
                    break;
                case ChangeKind.Merge:
                    Begin("MERGE", endpoint + EntityPath(product.Id, Prefix + row.Id), "*", true);
                    Write(json, product.Id, row);
                    End();
                    break;
                case ChangeKind.Delete:
                    Begin("DELETE", endpoint + EntityPath(product.Id, Prefix + row.Id), "*", false);
                    break;
            }
        }
        Text($"--{boundary}--\r\n--batch_{id}--\r\n");
        using var response = await requests.TableAsync(HttpMethod.Post, "/$batch", "multipart/mixed; boundary=batch_" + id, body.WrittenMemory,
            cancel);
        StorageRequests.Check("a commit", (int)response.StatusCode);
        return ReadCommit(await response.Content.ReadAsByteArrayAsync(cancel), changes.Count + 1);
    }

    // The ETag of the first operation, which is the product's.
    static string ReadCommit(ReadOnlySpan<byte> body, int operations)
    {
        string? etag = null;
        var answered = 0;
        foreach (var range in body.Split("\r\n"u8))
        {
            var line = body[range];
            if (line.StartsWith("HTTP/1.1 "u8) && line.Length >= 12)
            {
                StorageRequests.Check("a commit", int.Parse(line[9..12]));
                answered++;
            }
            else if (etag == null && line.Length > 6 && Ascii.EqualsIgnoreCase(line[..6], "etag: "u8))
            {
                etag = Encoding.UTF8.GetString(line[6..]);
            }
        }
        return answered == operations && etag != null ? etag : throw new HttpRequestException("a commit's answer is not complete");
    }
}
