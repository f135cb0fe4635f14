using System.Text.Json.Serialization;

namespace Peer;

sealed record ChangeBody(long Quantity, string? CustomerId, string? ReservationId);
sealed record ReserveAnswer(bool Success, string ProductId, long RequestedQuantity, long AvailableQuantity, string? ReservationId,
    string? ExpiresAt, string Message, bool AcquiredLease);
sealed record ReleaseAnswer(bool Success, string ProductId, long ReleasedQuantity, long NewAvailableQuantity, string Message);
sealed record ActiveReservation(string ReservationId, string CustomerId, long Quantity, string ReservedAt, string ExpiresAt);
sealed record ProductAnswer(string ProductId, long TotalQuantity, long AvailableQuantity, long ReservedQuantity,
    ActiveReservation[] ActiveReservations);
sealed record ErrorDetail(string Code, string Message);
sealed record ErrorAnswer(ErrorDetail Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, PropertyNameCaseInsensitive = true)]
[JsonSerializable(typeof(ChangeBody))]
[JsonSerializable(typeof(ReserveAnswer))]
[JsonSerializable(typeof(ReleaseAnswer))]
[JsonSerializable(typeof(ProductAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
sealed partial class Json : JsonSerializerContext;

// Either kind of row, as it is read. Edm.Int64 is text.
sealed class RowEntity
{
    [JsonPropertyName("odata.etag")] public string? ETag { get; set; }
    public string RowKey { get; set; } = "";
    public DateTime Timestamp { get; set; }
    [JsonPropertyName("total")] public long Total { get; set; }
    [JsonPropertyName("available")] public long Available { get; set; }
    [JsonPropertyName("version")] public long Version { get; set; }
    [JsonPropertyName("indexed")] public long Indexed { get; set; }
    [JsonPropertyName("customerId")] public string? CustomerId { get; set; }
    [JsonPropertyName("quantity")] public long Quantity { get; set; }
    [JsonPropertyName("reservedAt")] public DateTime ReservedAt { get; set; }
    [JsonPropertyName("expiresAt")] public DateTime ExpiresAt { get; set; }
}

sealed record Page([property: JsonPropertyName("value")] RowEntity[] Value);

[JsonSourceGenerationOptions(NumberHandling = JsonNumberHandling.AllowReadingFromString)]
[JsonSerializable(typeof(RowEntity))]
[JsonSerializable(typeof(Page))]
sealed partial class RowJson : JsonSerializerContext;
