using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using Azure;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Leasehold.Front;

namespace Leasehold.Checks;

/// <summary>Azure's own clients beside the handler on one storage account, and C# clients in front of it.</summary>
static class Neighbours
{
    public static IEnumerable<Check> Checks =>
    [
        new("neighbours: Azure's lease client keeps the handler out", KeepsHandlerOutAsync),
        new("neighbours: the handler keeps Azure's lease client out", KeepsClientOutAsync),
        new("neighbours: both take turns", BothTakeTurnsAsync),
        new("neighbours: Azure.Data.Tables reads every row", EveryRowAsync),
        .. Enum.GetValues<Shape>().Select(
            shape => new Check($"neighbours: C# records read every answer, {shape}", () => RecordsAsync(shape))),
    ];

    static readonly ReserveRequest FiveUnits = new(5, "CUST-123");

    static BlobLeaseClient LeaseOf(Azurite azurite, string product) =>
        new BlobClient(azurite.ConnectionString, "leases", $"lease-inventory-{product}").GetBlobLeaseClient();

    static HttpClient ClientOf(AppUnderTest app) => new() { BaseAddress = new Uri(app.Address + "api/inventory/") };

    static async Task<(HttpStatusCode Status, ReserveResponse Body)> ReserveAsync(HttpClient client, string product)
    {
        using HttpResponseMessage answer = await client.PostAsJsonAsync($"{product}/reserve", FiveUnits);
        return (answer.StatusCode, await Records.ReadAsync<ReserveResponse>(answer));
    }

    static async Task KeepsHandlerOutAsync()
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, Shape.Proxy, azurite.ConnectionString,
                                                               ("DistributedLeasing:AcquireTimeout", "00:00:01"));
        using HttpClient client = ClientOf(app);
        Expect.Equal(HttpStatusCode.OK, (await ReserveAsync(client, "PROD-001")).Status, "the first answer");
        BlobLeaseClient lease = LeaseOf(azurite, "PROD-001");
        await AcquireInTurnAsync(lease);
        using HttpResponseMessage refused = await client.PostAsJsonAsync("PROD-001/reserve", FiveUnits);
        Expect.Equal(HttpStatusCode.Conflict, refused.StatusCode, "the answer while another holds the lease");
        Expect.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter?.Delta, "its Retry-After");
        ReserveResponse body = await Records.ReadAsync<ReserveResponse>(refused);
        Expect.True(!body.Success && !body.AcquiredLease && body.AvailableQuantity == 999_995, body.ToString());
        await lease.ReleaseAsync();
        Expect.Equal(HttpStatusCode.OK, (await ReserveAsync(client, "PROD-001")).Status, "the answer afterwards");
    }

    static async Task KeepsClientOutAsync()
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, Shape.Proxy, azurite.ConnectionString,
                                                               ("Inventory:ProcessingTime", "00:00:03"));
        using HttpClient client = ClientOf(app);
        Task<(HttpStatusCode Status, ReserveResponse Body)> reserving = ReserveAsync(client, "PROD-001");
        await app.Host.WaitForAsync("Acquired lease");
        BlobLeaseClient lease = LeaseOf(azurite, "PROD-001");
        BlobProperties held = await new BlobClient(azurite.ConnectionString, "leases", "lease-inventory-PROD-001")
                                  .GetPropertiesAsync();
        Expect.Equal(LeaseState.Leased, held.LeaseState, "the blob's lease state");
        Expect.Equal("LeaseAlreadyPresent", await RefusalAsync(lease.AcquireAsync(TimeSpan.FromSeconds(15))), "acquire");
        Expect.Equal("LeaseIdMismatchWithLeaseOperation", await RefusalAsync(lease.RenewAsync()), "renew");
        Expect.Equal("LeaseIdMismatchWithLeaseOperation", await RefusalAsync(lease.ReleaseAsync()), "release");
        Expect.Equal(HttpStatusCode.OK, (await reserving).Status, "the handler's answer");
        await AcquireInTurnAsync(lease);
        await lease.ReleaseAsync();
    }

    /// <summary>Callers of the handler and Azure's client want one product for some seconds, and both get it.</summary>
    static async Task BothTakeTurnsAsync()
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, Shape.Proxy, azurite.ConnectionString);
        using HttpClient client = ClientOf(app);
        await ReserveAsync(client, "PROD-001");
        BlobLeaseClient lease = LeaseOf(azurite, "PROD-001");
        await AcquireInTurnAsync(lease);
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(6));
        Task<int>[] callers = [.. Enumerable.Range(0, 10).Select(async _ =>
        {
            int reserved = 0;
            while (!end.IsCancellationRequested)
            {
                (HttpStatusCode status, ReserveResponse body) = await ReserveAsync(client, "PROD-001");
                Expect.True(status == HttpStatusCode.OK || !body.AcquiredLease, $"{status} {body}");
                reserved += status == HttpStatusCode.OK ? 5 : 0;
            }
            return reserved;
        })];
        await HandlerWaitsAsync(azurite, "PROD-001");
        await lease.ReleaseAsync();
        int turns = 1;
        for (; !end.IsCancellationRequested; turns++)
        {
            await AcquireInTurnAsync(lease);
            await Task.Delay(20);
            await lease.ReleaseAsync();
        }
        int units = (await Task.WhenAll(callers)).Sum();
        InventoryResponse seen = (await client.GetFromJsonAsync<InventoryResponse>("PROD-001", Records.Options))!;
        Expect.True(turns > 3 && units > 0, $"{turns} turns of Azure's client, {units} units reserved by the handler");
        Expect.Equal(units + 5, seen.ReservedQuantity, "the reserved quantity");
    }

    /// <summary>
    /// Until the handler has met another's lease for so long that it says so in the table. From then on it shares. One that
    /// has never met anybody looks for others after 10 s (lease_tenure.h), and an SDK's client does not say that it waits.
    /// </summary>
    static async Task HandlerWaitsAsync(Azurite azurite, string product)
    {
        var table = new TableClient(azurite.ConnectionString, "inventory");
        using var limit = new CancellationTokenSource(Patience.Long);
        while (!(await table.GetEntityIfExistsAsync<TableEntity>($"!wait-{product}", "waiting")).HasValue)
        {
            await Task.Delay(10, limit.Token);
        }
    }

    /// <summary>Acquires it as soon as the handler has given it back.</summary>
    public static async Task AcquireInTurnAsync(BlobLeaseClient lease)
    {
        using var limit = new CancellationTokenSource(Patience.Long);
        while (await RefusalAsync(lease.AcquireAsync(TimeSpan.FromSeconds(60))) is { } code)
        {
            Expect.Equal("LeaseAlreadyPresent", code, "the refusal");
            await Task.Delay(10, limit.Token);
        }
    }

    static async Task<string?> RefusalAsync(Task call)
    {
        try
        {
            await call;
            return null;
        }
        catch (RequestFailedException refused)
        {
            return refused.ErrorCode;
        }
    }

    static async Task EveryRowAsync()
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, Shape.Proxy, azurite.ConnectionString);
        using HttpClient client = ClientOf(app);
        for (int i = 0; i < 3; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "PROD-001/reserve");
            request.Headers.Add("Idempotency-Key", $"order-{i}");
            request.Content = JsonContent.Create(new ReserveRequest(10, "Zoë 😀"));
            (await client.SendAsync(request)).EnsureSuccessStatusCode().Dispose();
        }
        (await client.PostAsJsonAsync("PROD-001/release", new ReleaseRequest(4, "Zoë 😀"))).EnsureSuccessStatusCode()
            .Dispose();
        await ReserveAsync(client, "PROD-002");
        await TableRows.CheckAsync(new TableClient(azurite.ConnectionString, "inventory"));
    }

    static async Task RecordsAsync(Shape shape)
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, shape, azurite.ConnectionString,
                                                               ("DistributedLeasing:AcquireTimeout", "00:00:01"));
        using HttpClient client = ClientOf(app);
        await Records.CheckAsync(client, LeaseOf(azurite, "PROD-001"), isBuffered: shape != Shape.Proxy);
    }
}
