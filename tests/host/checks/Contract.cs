using System.Text;
using System.Text.RegularExpressions;
using Leasehold.Front;

namespace Leasehold.Checks;

/// <summary>What the handler tells its host, and the host its handler, arrives.</summary>
static partial class Contract
{
    public static IEnumerable<Check> Checks =>
    [
        new("contract: the reason of every failed start is shown", ReasonsAsync),
        new("contract: a failed timer's reason reaches the host", TimerReasonAsync),
        .. Enum.GetValues<Shape>().Select(
            shape => new Check($"contract: answer and log name the invocation, {shape}", () => CorrelationAsync(shape))),
        .. Enum.GetValues<Shape>().Select(
            shape => new Check($"contract: ninety headers and a tab pass, {shape}", () => HeadersAsync(shape))),
    ];

    /// <summary>Eight hosts at once, each of which starts its handler three times.</summary>
    static async Task ReasonsAsync()
    {
        const int hosts = 8, starts = 3;
        string[] logs = await Task.WhenAll(Enumerable.Range(0, hosts).Select(async _ =>
        {
            using AppUnderTest app = await AppUnderTest.StartAsync(
                HostKind.Front, Shape.Proxy, "UseDevelopmentStorage=true", mayServe: false,
                ("Logging:LogLevel:Default", "Bogus"));
            return app.Host.WaitForEnd();
        }));
        foreach (string log in logs)
        {
            int shown = log.Split('\n').Count(line => line.Contains("Logging:LogLevel:Default") && line.Contains("Bogus"));
            Expect.True(shown == starts, $"the reason is shown {shown} of {starts} times:\n{log}");
            Expect.True(!log.Contains("warn", StringComparison.OrdinalIgnoreCase), "the host takes it for a warning:\n" + log);
        }
    }

    static async Task TimerReasonAsync()
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, Shape.Proxy, azurite.ConnectionString);
        azurite.Stop();
        using var client = new HttpClient();
        using var body = new StringContent("{}", Encoding.UTF8, "application/json");
        using HttpResponseMessage taken = await client.PostAsync(app.Address + "admin/functions/ReconcileInventory", body);
        Expect.Equal(202, (int)taken.StatusCode, "the answer to a timer fired by hand");
        await app.Host.WaitForAsync("503 (StorageUnavailable: ");
        await app.Host.WaitForAsync("Executed 'Functions.ReconcileInventory' (Failed");
    }

    static async Task CorrelationAsync(Shape shape)
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, shape, azurite.ConnectionString);
        using var client = new HttpClient();
        using var body = new StringContent("""{"quantity":1,"customerId":"C"}""", Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await client.PostAsync(app.Address + "api/inventory/PROD-001/reserve", body);
        string id = answer.Headers.TryGetValues("x-ms-request-id", out IEnumerable<string>? values) ? values.Single() : "";
        Expect.True(GuidText().IsMatch(id), $"x-ms-request-id is '{id}'");
        string log = app.Host.Output;
        foreach (string line in log.Split('\n').Where(line => line.Contains("PROD-001") && !line.Contains("Releasing")))
        {
            Expect.True(line.Contains(id), $"the line does not name invocation {id}: {line}");
        }
        Expect.True(log.Contains(id), $"no line names invocation {id}:\n{log}");
    }

    static async Task HeadersAsync(Shape shape)
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, shape, azurite.ConnectionString);
        using RawConnection connection = await RawConnection.OpenAsync(app.Port);
        string headers = string.Concat(Enumerable.Range(0, 90).Select(i => $"X-{i}: a\tb\r\n"));
        await connection.SendAsync($"GET /api/inventory/PROD-001 HTTP/1.1\r\nHost: shop\r\n{headers}\r\n");
        RawAnswer answer = await connection.ReadAsync("GET", Patience.Long);
        Expect.True(answer.Status == 200, answer.ToString());
    }

    [GeneratedRegex("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")]
    private static partial Regex GuidText();
}
