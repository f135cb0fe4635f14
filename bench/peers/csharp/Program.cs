// The same program as Leasehold's request path, as a .NET team would write it: Kestrel, HttpClient,
// no SDK of Azure's. See ../README.md for what it does and what it leaves out.
using System.Buffers;
using System.Net;
using System.Text.Json;
using Peer;

var account = Account.Parse(Environment.GetEnvironmentVariable("CONNECTION_STRING") ?? "");
var lifetime = int.TryParse(Environment.GetEnvironmentVariable("RESERVATION_LIFETIME_S"), out var seconds)
    ? TimeSpan.FromSeconds(seconds) : TimeSpan.FromMinutes(30);
var log = new LineLog($"[Instance {Environment.GetEnvironmentVariable("HANDLER_INSTANCE")}] ");
var requests = new StorageRequests(account);
var store = new Store(requests, lifetime);
var queues = new Queues(store, new LeaseManager(requests, log), log);

var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(options =>
{
    options.AddServerHeader = false;
    options.Limits.MaxRequestBodySize = 64 * 1024;
    options.Listen(IPAddress.Loopback, int.Parse(Environment.GetEnvironmentVariable("FUNCTIONS_CUSTOMHANDLER_PORT")!));
});
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(4));
var app = builder.Build();
var api = new Api(store, queues, log);
app.MapPost("/api/inventory/{id}/reserve", api.ReserveAsync);
app.MapPost("/api/inventory/{id}/release", api.ReleaseAsync);
app.MapGet("/api/inventory/{id}", api.GetAsync);
_ = Task.Run(async () =>
{
    try
    {
        await store.SeedAsync(Environment.GetEnvironmentVariable("SEED_PRODUCTS") ?? "");
    }
    catch (Exception e)
    {
        Console.Error.WriteLine(e);
        Environment.Exit(1);
    }
});
app.Run();

namespace Peer
{
    sealed class Api(Store store, Queues queues, LineLog log)
    {
        const int MaxId = 128, MaxQuantity = 1_000_000;
        static readonly SearchValues<char> IdCharacters =
            SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-");

        static bool IsProductId(string id) =>
            id.Length is >= 1 and <= MaxId && id[^1] != '.' && !id.AsSpan().ContainsAnyExcept(IdCharacters);

        static string Invocation(HttpContext http)
        {
            var id = http.Request.Headers["x-ms-invocation-id"].ToString();
            id = id.Length > 0 ? id : Guid.NewGuid().ToString();
            http.Response.Headers["x-ms-request-id"] = id;
            return id;
        }

        static Task AnswerAsync<T>(HttpContext http, int status, long version, T body,
            System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        {
            var text = JsonSerializer.SerializeToUtf8Bytes(body, type);
            var response = http.Response;
            response.StatusCode = status;
            response.ContentType = "application/json";
            response.ContentLength = text.Length;
            if (version > 0)
                response.Headers.ETag = $"\"{version}\"";
            return response.Body.WriteAsync(text).AsTask();
        }

        static Task FailAsync(HttpContext http, int status, string code, string message)
        {
            if (status == 503)
                http.Response.Headers.RetryAfter = "1";
            return AnswerAsync(http, status, 0, new ErrorAnswer(new ErrorDetail(code, message)), Json.Default.ErrorAnswer);
        }

        Task FailAsync(HttpContext http, Exception failure)
        {
            switch (failure)
            {
                case NotFoundException:
                    return FailAsync(http, 404, "ProductNotFound", "there is no such product");
                case PreconditionException or LeaseLostException:
                    return FailAsync(http, 409, "LeaseLost", "the lease was lost; nothing was changed");
                default:
                    log.Write($"error: {failure.Message}");
                    return FailAsync(http, 503, "StorageUnavailable", "storage could not be reached");
            }
        }

        // Null: it has answered.
        static async Task<ChangeRequest?> ReadAsync(HttpContext http, string id, Operation operation)
        {
            var invocation = Invocation(http);
            if (!IsProductId(id))
            {
                await FailAsync(http, 400, "InvalidProductId", "the product's id is not valid");
                return null;
            }
            ChangeBody? body;
            try
            {
                body = await JsonSerializer.DeserializeAsync(http.Request.Body, Json.Default.ChangeBody, http.RequestAborted);
            }
            catch (JsonException)
            {
                body = null;
            }
            if (body == null)
            {
                await FailAsync(http, 400, "InvalidJson", "the body is not a JSON object");
                return null;
            }
            if (body.Quantity is not (>= 1 and <= MaxQuantity))
            {
                await FailAsync(http, 400, "InvalidQuantity", "quantity must be a whole number from 1 to 1000000");
                return null;
            }
            if (body.CustomerId is not { Length: >= 1 and <= MaxId } || body.CustomerId.Any(char.IsControl))
            {
                await FailAsync(http, 400, "InvalidCustomerId", "customerId must have 1 to 128 characters");
                return null;
            }
            return new ChangeRequest(operation, invocation, body.CustomerId, body.ReservationId, body.Quantity);
        }

        public async Task ReserveAsync(HttpContext http, string id)
        {
            if (await ReadAsync(http, id, Operation.Reserve) is not { } request)
                return;
            try
            {
                var o = await queues.SubmitAsync(id, request);
                var text = o.Done ? $"Successfully reserved {request.Quantity} units" : $"Insufficient inventory. Available: {o.Available}";
                await AnswerAsync(http, o.Done ? 200 : 409, o.Version, new ReserveAnswer(o.Done, id, request.Quantity, o.Available,
                    o.Done ? o.ReservationId : null, o.Done ? Store.Time(o.ExpiresAt) : null, text, true), Json.Default.ReserveAnswer);
            }
            catch (ConflictException)
            {
                http.Response.Headers.RetryAfter = "1";
                await AnswerAsync(http, 409, 0, new ReserveAnswer(false, id, request.Quantity, 0, null, null,
                    "Another operation is in progress. Please retry.", false), Json.Default.ReserveAnswer);
            }
            catch (Exception e)
            {
                await FailAsync(http, e);
            }
        }

        public async Task ReleaseAsync(HttpContext http, string id)
        {
            if (await ReadAsync(http, id, Operation.Release) is not { } request)
                return;
            try
            {
                var o = await queues.SubmitAsync(id, request);
                var text = o.Done ? $"Successfully released {o.Quantity} units" : "No active reservations found for this customer";
                await AnswerAsync(http, o.Done ? 200 : 404, o.Version, new ReleaseAnswer(o.Done, id, o.Quantity, o.Available, text),
                    Json.Default.ReleaseAnswer);
            }
            catch (ConflictException)
            {
                http.Response.Headers.RetryAfter = "1";
                await AnswerAsync(http, 409, 0, new ReleaseAnswer(false, id, 0, 0, "Could not acquire lease. Please retry."),
                    Json.Default.ReleaseAnswer);
            }
            catch (Exception e)
            {
                await FailAsync(http, e);
            }
        }

        public async Task GetAsync(HttpContext http, string id)
        {
            Invocation(http);
            if (!IsProductId(id))
            {
                await FailAsync(http, 400, "InvalidProductId", "the product's id is not valid");
                return;
            }
            try
            {
                var (product, rows) = await store.ReadAllAsync(id, http.RequestAborted);
                var now = DateTime.UtcNow;
                var active = rows.Where(r => r.ExpiresAt > now).ToArray();
                var reserved = active.Sum(r => r.Quantity);
                await AnswerAsync(http, 200, product.Version, new ProductAnswer(id, product.Total, product.Total - reserved, reserved,
                    [.. active.Select(r => new ActiveReservation(r.Id, r.CustomerId, r.Quantity, Store.Time(r.ReservedAt),
                        Store.Time(r.ExpiresAt)))]), Json.Default.ProductAnswer);
            }
            catch (Exception e)
            {
                await FailAsync(http, e);
            }
        }
    }
}
