using System.Text;
using System.Text.RegularExpressions;
using Leasehold.Front;
using Newtonsoft.Json.Linq;

namespace Leasehold.Checks;

/// <summary>
/// bin/devhost and the front answer the same request in the same way, and the same bytes of it reach the handler. Where
/// they may differ stands in tests/host/differences.txt, and why in docs/devhost.md.
/// </summary>
static partial class Alike
{
    const int AtOnce = 8;
    static readonly TimeSpan Notice = TimeSpan.FromMilliseconds(500); // until a host has seen that its handler died
    static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Headers that differ from answer to answer, or only say how the body is framed.</summary>
    static readonly string[] Left = ["Date", "Server", "Content-Length", "Transfer-Encoding"];

    static readonly Dictionary<string, JObject> Functions = new()
    {
        ["Items"] = Trigger("items/{id}", ["get", "post"]),
        ["More"] = Trigger("items/{id}/more", ["get", "post"]),
        ["Static"] = Trigger("static/list", ["get"]),
    };

    static readonly RawRequest[] Requests = [.. AlikeRequests.Heads, .. AlikeRequests.Paths, .. AlikeRequests.Headers,
                                             .. AlikeRequests.Bodies, .. AlikeRequests.Endings];

    static readonly RawRequest[] Deaths = [.. AlikeRequests.Deaths];

    public static IEnumerable<Check> Checks => Enum.GetValues<Shape>().SelectMany(shape => (Check[])[
        new($"alike: {Requests.Length} requests, {shape}", () => CompareAsync(shape, Requests, AtOnce)),
        new($"alike: {Deaths.Length} around a handler's death, {shape}", () => CompareAsync(shape, Deaths, 1)),
    ]);

    static JObject Trigger(string route, string[] methods) => JObject.FromObject(new
    {
        bindings = (object[])[
            new { type = "httpTrigger", direction = "in", name = "req", authLevel = "function", route, methods },
            new { type = "http", direction = "out", name = "res" },
        ],
    });

    static async Task CompareAsync(Shape shape, RawRequest[] requests, int atOnce)
    {
        using AppUnderTest front = await AppUnderTest.StartProbeAsync(HostKind.Front, shape, Functions);
        using AppUnderTest devhost = await AppUnderTest.StartProbeAsync(HostKind.Devhost, shape, Functions);
        string?[] answers = await Task.WhenAll(AskAllAsync(front, requests, atOnce), AskAllAsync(devhost, requests, atOnce))
            is var both ? [.. both[0].Zip(both[1], (ofFront, ofDevhost) =>
                ofFront == ofDevhost ? null : $"front:   {ofFront}\ndevhost: {ofDevhost}")] : [];
        HashSet<string> allowed = AllowedDifferences(shape);
        var failures = new List<string>();
        foreach ((RawRequest request, string? difference) in requests.Zip(answers))
        {
            bool isAllowed = allowed.Contains(request.Name);
            if (difference != null && !isAllowed)
            {
                failures.Add($"{request.Name}\n{difference}");
            }
            if (difference == null && isAllowed)
            {
                failures.Add($"{request.Name}\nno longer differs: take it out of differences.txt");
            }
        }
        Expect.True(failures.Count == 0, $"{failures.Count} of {requests.Length} differ\n" + string.Join('\n', failures));
    }

    /// <summary>The names in the lines "SHAPE ...: NAME", after comments that say why.</summary>
    static HashSet<string> AllowedDifferences(Shape shape) =>
        [.. File.ReadLines(Path.Combine(Paths.Root, "tests/host/differences.txt"))
             .Where(line => !line.StartsWith('#')).Select(line => line.Split(": ", 2))
             .Where(parts => parts[0].Split(' ').Contains(shape.ToString())).Select(parts => parts[1])];

    static async Task<string[]> AskAllAsync(AppUnderTest app, RawRequest[] requests, int atOnce)
    {
        using var slots = new SemaphoreSlim(atOnce);
        return await Task.WhenAll(requests.Select(async request =>
        {
            await slots.WaitAsync();
            try
            {
                await Task.Delay(atOnce == 1 ? Notice : TimeSpan.Zero);
                return await AskAsync(app, request);
            }
            finally
            {
                slots.Release();
            }
        }));
    }

    static async Task<string> AskAsync(AppUnderTest app, RawRequest request)
    {
        using RawConnection connection = await RawConnection.OpenAsync(app.Port);
        foreach (string part in request.Parts)
        {
            await connection.SendAsync(part);
            await Task.Delay(request.Parts.Length > 1 ? 30 : 0);
        }
        return Describe(await connection.ReadAsync(request.Method, AnswerTimeout));
    }

    /// <summary>An answer's text. How much of a broken answer arrives is chance.</summary>
    static string Describe(RawAnswer answer)
    {
        if (answer.IsCut || answer.Status == 0)
        {
            return "the connection broke";
        }
        // What becomes of the connection after an error is of no use to a caller.
        bool isError = answer.Status >= 400;
        var text = new StringBuilder($"{answer.Status}{(answer.IsClosed && !isError ? " closed" : "")}");
        foreach ((string name, string value) in answer.Headers.OrderBy(header => header.Name, StringComparer.OrdinalIgnoreCase))
        {
            bool isConnection = name.Equals("Connection", StringComparison.OrdinalIgnoreCase);
            if (!Left.Contains(name, StringComparer.OrdinalIgnoreCase) && !(isError && isConnection))
            {
                text.Append($" {name.ToLowerInvariant()}={value}");
            }
        }
        return Normalise($"{text} {answer.Body}");
    }

    /// <summary>
    /// What differs from call to call, made the same. The host's formatter adds a charset to an answer out of an
    /// envelope; devhost does not.
    /// </summary>
    static string Normalise(string text)
    {
        text = GuidText().Replace(text, "GUID");
        text = TraceText().Replace(text, "00-TRACE-SPAN-01");
        text = TimeText().Replace(text, "TIME");
        text = VersionText().Replace(text, "VERSION");
        text = LoopbackText().Replace(text, "127.0.0.1:PORT");
        return text.Replace("content-type=application/json; charset=utf-8", "content-type=application/json");
    }

    [GeneratedRegex("[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")]
    private static partial Regex GuidText();

    [GeneratedRegex("00-(?!0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331)[0-9a-f]{32}-[0-9a-f]{16}-0[01]")]
    private static partial Regex TraceText();

    [GeneratedRegex(@"20\d\d-\d\d-\d\dT[0-9:.]+Z")]
    private static partial Regex TimeText();

    [GeneratedRegex(@"\b4\.[0-9]+\.[0-9]+\.[0-9]+\b")]
    private static partial Regex VersionText();

    [GeneratedRegex(@"127\.0\.0\.1:\d+")]
    private static partial Regex LoopbackText();
}
