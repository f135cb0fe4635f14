using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Leasehold.Front;

namespace Leasehold.Checks;

/// <summary>One answer that a caller got.</summary>
sealed record Answer(int Status, string Body, bool HasRetryAfter, bool HadBody, TimeSpan Sent, TimeSpan Answered)
{
    /// <summary>The host's sign for an answer that was lost.</summary>
    public bool IsLost => Status == 500 && Body.Length == 0;
}

/// <summary>Many callers at once, each with a connection of its own to the host.</summary>
sealed class Crowd(AppUnderTest app) : IDisposable
{
    readonly HttpClient client =
        new(new SocketsHttpHandler { MaxConnectionsPerServer = int.MaxValue }) { Timeout = TimeSpan.FromSeconds(120) };

    public Stopwatch Clock { get; } = Stopwatch.StartNew();
    public ConcurrentBag<Answer> Answers { get; } = [];

    /// <summary>Each of `count` callers sends one request; all are sent before the first is awaited.</summary>
    public Task AllAtOnceAsync(int count) => Task.WhenAll(Enumerable.Range(0, count).Select(AskAsync));

    /// <summary>Each of `count` callers sends one request after the other for that long.</summary>
    public Task ForAsync(int count, TimeSpan duration) => Task.WhenAll(Enumerable.Range(0, count).Select(async caller =>
    {
        TimeSpan end = Clock.Elapsed + duration;
        while (Clock.Elapsed < end)
        {
            await AskAsync(caller);
        }
    }));

    public void Dispose() => client.Dispose();

    /// <summary>Every third request is a GET, the others reserve one unit.</summary>
    async Task AskAsync(int caller)
    {
        bool hasBody = caller % 3 != 0;
        string path = $"{app.Address}api/inventory/PROD-00{caller % 2 + 1}";
        using var request = new HttpRequestMessage(hasBody ? HttpMethod.Post : HttpMethod.Get,
                                                   hasBody ? path + "/reserve" : path + "?reservations=none");
        if (hasBody)
        {
            request.Content = new StringContent($$"""{"quantity":1,"customerId":"C-{{caller}}"}""", Encoding.UTF8,
                                                "application/json");
        }
        TimeSpan sent = Clock.Elapsed;
        try
        {
            using HttpResponseMessage answer = await client.SendAsync(request);
            string body = await answer.Content.ReadAsStringAsync();
            Answers.Add(new Answer((int)answer.StatusCode, body, answer.Headers.RetryAfter != null, hasBody, sent,
                                   Clock.Elapsed));
        }
        catch (HttpRequestException failure)
        {
            Answers.Add(new Answer(0, failure.Message, false, hasBody, sent, Clock.Elapsed));
        }
    }

    public string Summary() => string.Join(
        ", ", Answers.GroupBy(answer => answer.IsLost ? "empty 500" : answer.Status.ToString())
                  .OrderBy(group => group.Key).Select(group => $"{group.Count()} x {group.Key}"));
}

/// <summary>However many call, nobody's answer is lost.</summary>
static class Crowds
{
    static readonly TimeSpan Duration = TimeSpan.FromSeconds(10);

    public static IEnumerable<Check> Checks =>
    [
        .. Enum.GetValues<Shape>().Select(
            shape => new Check($"crowds: 300, 600 and 1000 callers at once, {shape}", () => AtOnceAsync(shape))),
        new("crowds: 1000 callers for 10 s, Proxy", () => ForAWhileAsync(Shape.Proxy, 1000)),
        new("crowds: 600 callers for 10 s, Forward", () => ForAWhileAsync(Shape.Forward, 600)),
        new("crowds: 300 callers for 10 s, Invocation", () => ForAWhileAsync(Shape.Invocation, 300)),
    ];

    static Task AtOnceAsync(Shape shape) => WithCrowdAsync(shape, 300 + 600 + 1000, async crowd =>
    {
        foreach (int count in (int[])[300, 600, 1000])
        {
            await crowd.AllAtOnceAsync(count);
        }
    });

    static Task ForAWhileAsync(Shape shape, int count) =>
        WithCrowdAsync(shape, count, crowd => crowd.ForAsync(count, Duration));

    static async Task WithCrowdAsync(Shape shape, int minimum, Func<Crowd, Task> callAsync)
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, shape, azurite.ConnectionString);
        using var crowd = new Crowd(app);
        await crowd.AllAtOnceAsync(1); // makes container and table
        await callAsync(crowd);
        Expect.True(crowd.Answers.Count > minimum, "not everybody was answered: " + crowd.Summary());
        Expect.True(crowd.Answers.All(IsExpected), crowd.Summary() + "\n" +
                                                       crowd.Answers.FirstOrDefault(answer => !IsExpected(answer)));
        Expect.True(crowd.Answers.Any(answer => answer.Status == 200), "nobody was served: " + crowd.Summary());
    }

    static bool IsExpected(Answer answer) =>
        answer.Status is 200 or 409 || (answer.Status == 503 && answer.HasRetryAfter);
}
