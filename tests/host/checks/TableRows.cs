using System.Text.RegularExpressions;
using Azure.Data.Tables;

namespace Leasehold.Checks;

/// <summary>The rows as handler/inventory/product_entity.h describes them, read by Azure's own client.</summary>
static partial class TableRows
{
    static readonly string[] OfEveryRow = ["odata.etag", "PartitionKey", "RowKey", "Timestamp", "format"];

    sealed record Kind(string Name, Regex Partition, Regex Key, Dictionary<string, Type> Properties);

    static readonly Kind[] Kinds =
    [
        new("product", ProductId(), Product(), new()
        {
            ["total"] = typeof(long), ["available"] = typeof(long), ["version"] = typeof(long),
            ["dueAt"] = typeof(DateTimeOffset), ["commitIds"] = typeof(string), ["commitId"] = typeof(string), ["indexedDue"] = typeof(long),
            ["indexedKeep"] = typeof(long),
        }),
        new("reservation", ProductId(), Reservation(), new()
        {
            ["customerId"] = typeof(string), ["quantity"] = typeof(long), ["reservedAt"] = typeof(DateTimeOffset),
            ["expiresAt"] = typeof(DateTimeOffset),
        }),
        new("record", ProductId(), Record(), new()
        {
            ["requestHash"] = typeof(string), ["reservationId"] = typeof(string), ["quantity"] = typeof(long),
            ["available"] = typeof(long), ["version"] = typeof(long), ["reservedAt"] = typeof(DateTimeOffset),
            ["expiresAt"] = typeof(DateTimeOffset), ["keepUntil"] = typeof(DateTimeOffset),
        }),
        new("due row", DuePartition(), Due(), []),
    ];

    /// <summary>After three reservations of 10 with a key for one customer, a release of 4, and a reservation of 5.</summary>
    public static async Task CheckAsync(TableClient table)
    {
        var rows = new List<TableEntity>();
        await foreach (TableEntity row in table.QueryAsync<TableEntity>())
        {
            CheckRow(row);
            rows.Add(row);
        }
        TableEntity[] held = [.. rows.Where(row => row.PartitionKey == "PROD-001" && row.RowKey.StartsWith("r-"))];
        Expect.Equal(26L, held.Sum(row => row.GetInt64("quantity")!.Value), "the sum of PROD-001's reservations");
        Expect.True(held.All(row => row.GetString("customerId") == "Zoë 😀"), "a customer's name changed");
        Expect.Equal(3, rows.Count(row => row.RowKey.StartsWith("i-")), "the number of records");
        TableEntity product = await table.GetEntityAsync<TableEntity>("PROD-001", "product");
        Expect.Equal(1_000_000L, product.GetInt64("total"), "the total");
        Expect.Equal(1_000_000L - 26, product.GetInt64("available"), "what is available");
        foreach (TableEntity row in held)
        {
            DateTimeOffset from = row.GetDateTimeOffset("reservedAt")!.Value, to = row.GetDateTimeOffset("expiresAt")!.Value;
            Expect.Equal(TimeSpan.FromMinutes(30), to - from, "a reservation's lifetime");
            Expect.True(product.GetDateTimeOffset("dueAt") <= to, "the product is due later than a reservation");
        }
        Expect.True(rows.Any(row => row.PartitionKey == "!due" && row.RowKey.EndsWith("-r-PROD-001")), "no due row");
    }

    static void CheckRow(TableEntity row)
    {
        string name = $"{row.PartitionKey}/{row.RowKey}";
        Kind? kind = Kinds.FirstOrDefault(
            kind => kind.Partition.IsMatch(row.PartitionKey) && kind.Key.IsMatch(row.RowKey));
        Expect.True(kind != null, $"{name} is no row that the handler writes");
        Expect.True(row.GetInt32("format") >= 1, $"{name}: its format is {row["format"]}");
        foreach ((string property, object value) in row.Where(pair => !OfEveryRow.Contains(pair.Key)))
        {
            Expect.True(kind!.Properties.TryGetValue(property, out Type? type), $"{name}: unknown property {property}");
            Expect.Equal(type!, value.GetType(), $"{name}: the type of {property}");
        }
        foreach (string property in kind!.Properties.Keys)
        {
            Expect.True(row.ContainsKey(property), $"{name}: there is no {property}");
        }
    }

    [GeneratedRegex("^[A-Za-z0-9._~-]{1,128}$")]
    private static partial Regex ProductId();

    [GeneratedRegex("^!due$")]
    private static partial Regex DuePartition();

    [GeneratedRegex("^product$")]
    private static partial Regex Product();

    [GeneratedRegex("^r-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    private static partial Regex Reservation();

    [GeneratedRegex("^i-[0-9a-f]+$")]
    private static partial Regex Record();

    [GeneratedRegex("^[0-9]{15}-[rk]-[A-Za-z0-9._~-]{1,128}$")]
    private static partial Regex Due();
}
