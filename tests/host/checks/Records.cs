using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using Azure.Storage.Blobs.Specialized;

namespace Leasehold.Checks;

// The record types of a C# client, as System.Text.Json's web defaults read them. Quantities are never null.
sealed record ReserveRequest(int Quantity, string CustomerId);

sealed record ReserveResponse(bool Success, string ProductId, int RequestedQuantity, int AvailableQuantity,
                              string? ReservationId, DateTime? ExpiresAt, string Message, bool AcquiredLease);

sealed record ReleaseRequest(int Quantity, string CustomerId, string? ReservationId = null);

sealed record ReleaseResponse(bool Success, string ProductId, int ReleasedQuantity, int NewAvailableQuantity, string Message);

sealed record ReservationInfo(string ReservationId, string CustomerId, int Quantity, DateTime ReservedAt, DateTime ExpiresAt);

sealed record InventoryResponse(string ProductId, int TotalQuantity, int AvailableQuantity, int ReservedQuantity,
                                List<ReservationInfo> ActiveReservations);

sealed record ErrorDetail(string Code, string Message);

sealed record ErrorResponse(ErrorDetail Error);

/// <summary>
/// PostAsJsonAsync sends a chunked body, which the host drops or refuses in its older shapes: there the client has to
/// buffer it (isBuffered), so that it has a Content-Length.
/// </summary>
sealed record Caller(HttpClient Http, bool IsBuffered)
{
    public async Task<T> PostAsync<T>(string path, object body, HttpStatusCode status)
    {
        using var content = JsonContent.Create(body);
        if (IsBuffered)
        {
            await content.LoadIntoBufferAsync();
        }
        using HttpResponseMessage answer = await Http.PostAsync(path, content);
        string text = await answer.Content.ReadAsStringAsync();
        Expect.True(status == answer.StatusCode, $"{path}: {(int)answer.StatusCode} {text}");
        return await Records.ReadAsync<T>(answer);
    }
}

static class Records
{
    /// <summary>The web defaults, and nothing of an answer may be missing, unknown, or null where it must not be.</summary>
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public static async Task<T> ReadAsync<T>(HttpResponseMessage answer)
    {
        Expect.Equal("application/json", answer.Content.Headers.ContentType?.MediaType, "the content type");
        string text = await answer.Content.ReadAsStringAsync();
        try
        {
            return JsonSerializer.Deserialize<T>(text, Options)!;
        }
        catch (JsonException failure)
        {
            throw new CheckFailedException($"{(int)answer.StatusCode} {text} is no {typeof(T).Name}: {failure.Message}");
        }
    }

    /// <summary>Each kind of answer once, from a fresh app with `client` on api/inventory/.</summary>
    public static async Task CheckAsync(HttpClient client, BlobLeaseClient lease, bool isBuffered)
    {
        var caller = new Caller(client, isBuffered);
        ReserveResponse reserved =
            await caller.PostAsync<ReserveResponse>("PROD-001/reserve", new ReserveRequest(5, "CUST-123"), HttpStatusCode.OK);
        Expect.True(reserved is { Success: true, AcquiredLease: true, RequestedQuantity: 5, ReservationId: not null },
                    reserved.ToString());
        Expect.True(Math.Abs((reserved.ExpiresAt!.Value - DateTime.UtcNow.AddMinutes(30)).TotalMinutes) < 1 &&
                        reserved.ExpiresAt.Value.Kind == DateTimeKind.Utc, reserved.ToString());
        ReserveResponse tooMany = await caller.PostAsync<ReserveResponse>("PROD-002/reserve", new ReserveRequest(500, "CUST-123"), HttpStatusCode.Conflict);
        Expect.Equal(new ReserveResponse(false, "PROD-002", 500, 50, null, null, "Insufficient inventory. Available: 50", true),
                     tooMany, "the refusal");
        InventoryResponse seen = (await client.GetFromJsonAsync<InventoryResponse>("PROD-001", Options))!;
        Expect.Equal(new ReservationInfo(reserved.ReservationId!, "CUST-123", 5,
                                         seen.ActiveReservations[0].ReservedAt, reserved.ExpiresAt.Value),
                     seen.ActiveReservations.Single(), "the reservation");
        await CheckBusyAsync(caller, lease);
        ReleaseResponse released =
            await caller.PostAsync<ReleaseResponse>("PROD-001/release", new ReleaseRequest(5, "CUST-123"), HttpStatusCode.OK);
        Expect.True(released is { Success: true, ReleasedQuantity: 5 }, released.ToString());
        ReleaseResponse nothing = await caller.PostAsync<ReleaseResponse>("PROD-001/release", new ReleaseRequest(5, "CUST-123"), HttpStatusCode.NotFound);
        Expect.True(nothing is { Success: false, ReleasedQuantity: 0 }, nothing.ToString());
        await CheckErrorsAsync(caller);
    }

    /// <summary>Somebody else has the lease: the 409s with acquiredLease false.</summary>
    static async Task CheckBusyAsync(Caller caller, BlobLeaseClient lease)
    {
        await Neighbours.AcquireInTurnAsync(lease);
        ReserveResponse reserve = await caller.PostAsync<ReserveResponse>("PROD-001/reserve", new ReserveRequest(5, "CUST-123"), HttpStatusCode.Conflict);
        Expect.True(reserve is { Success: false, AcquiredLease: false, AvailableQuantity: 999_995 }, reserve.ToString());
        ReleaseResponse release = await caller.PostAsync<ReleaseResponse>("PROD-001/release", new ReleaseRequest(5, "CUST-123"), HttpStatusCode.Conflict);
        Expect.True(release is { Success: false, ReleasedQuantity: 0, NewAvailableQuantity: 999_995 }, release.ToString());
        await lease.ReleaseAsync();
    }

    static async Task CheckErrorsAsync(Caller caller)
    {
        (string Path, object Body, HttpStatusCode Status, string Code)[] errors =
        [
            ("PROD-001/reserve", new ReserveRequest(0, "C"), HttpStatusCode.BadRequest, "InvalidQuantity"),
            ("PROD-001/reserve", new ReserveRequest(1, ""), HttpStatusCode.BadRequest, "InvalidCustomerId"),
            ("PROD-001/reserve", "text", HttpStatusCode.BadRequest, "InvalidJson"),
            ("NO-SUCH/reserve", new ReserveRequest(1, "C"), HttpStatusCode.NotFound, "ProductNotFound"),
        ];
        foreach ((string path, object body, HttpStatusCode status, string code) in errors)
        {
            ErrorResponse error = await caller.PostAsync<ErrorResponse>(path, body, status);
            Expect.Equal(code, error.Error.Code, "the error's code");
        }
    }
}
