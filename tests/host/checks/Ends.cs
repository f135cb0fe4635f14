using System.Runtime.InteropServices;
using System.Text;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using Leasehold.Front;

namespace Leasehold.Checks;

/// <summary>A handler that ends under fifty callers loses no answer that it need not lose.</summary>
static class Ends
{
    const int Callers = 50;
    static readonly TimeSpan Before = TimeSpan.FromSeconds(1);
    static readonly TimeSpan After = TimeSpan.FromSeconds(3);

    /// <summary>Until the host has seen that its handler is gone.</summary>
    static readonly TimeSpan Unnoticed = TimeSpan.FromMilliseconds(250);

    public static IEnumerable<Check> Checks =>
        Enum.GetValues<Shape>().SelectMany(shape => (Check[])[
            new($"ends: SIGKILL with {Callers} callers, {shape}", () => KillAsync(shape)),
            new($"ends: SIGTERM with {Callers} callers, {shape}", () => TerminateAsync(shape)),
        ]);

    static async Task KillAsync(Shape shape)
    {
        using var world = await World.OpenAsync(shape);
        int first = world.App.HandlerId;
        TimeSpan killed = await world.EndHandlerAsync(Signals.Kill);
        await world.App.Host.WaitForAsync("is ready", world.LogLength);
        Expect.True(world.App.HandlerId != first, "the handler was not started again");
        foreach (Answer answer in world.Crowd.Answers.Where(answer => answer.Status is not (200 or 409 or 503)))
        {
            bool inHand = answer.Sent <= killed + Unnoticed && answer.Answered >= killed;
            // Only YARP's way sends a request without a body again.
            Expect.True(answer.IsLost && inHand && (answer.HadBody || shape != Shape.Proxy),
                        $"killed at {killed}: {answer}\n{world.Crowd.Summary()}");
        }
        Expect.True(world.Crowd.Answers.Any(answer => answer.Status == 200 && answer.Sent > killed + Unnoticed),
                    "nobody was served after it: " + world.Crowd.Summary());
    }

    static async Task TerminateAsync(Shape shape)
    {
        using var world = await World.OpenAsync(shape);
        int first = world.App.HandlerId;
        TimeSpan told = await world.EndHandlerAsync(Signals.Terminate);
        Answer[] answers = [.. world.Crowd.Answers];
        Answer? bad = answers.FirstOrDefault(
            answer => answer.Status is not (200 or 409) && (answer.Status != 503 || !answer.HasRetryAfter));
        Expect.True(bad == null, $"told to end at {told}: {bad}\n{world.Crowd.Summary()}");
        Expect.True(answers.Any(answer => answer.Status == 503), "nobody was sent away: " + world.Crowd.Summary());
        Expect.Equal(first, world.App.HandlerId, "the handler's process");
        await world.ExpectNoLeaseAsync();
    }

    /// <summary>Fifty callers of an app, and the end of its handler in the midst of them.</summary>
    sealed class World : IDisposable
    {
        /// <summary>Those that a crowd asks for.</summary>
        static readonly string[] Products = ["PROD-001", "PROD-002"];

        public required Azurite Azurite { get; init; }
        public required AppUnderTest App { get; init; }
        public required Crowd Crowd { get; init; }
        public int LogLength { get; private set; }

        public static async Task<World> OpenAsync(Shape shape)
        {
            Azurite azurite = await Azurite.StartAsync();
            AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, shape, azurite.ConnectionString,
                                                             ("DistributedLeasing:AcquireTimeout", "00:00:01"));
            var world = new World { Azurite = azurite, App = app, Crowd = new Crowd(app) };
            await world.ReserveEachAsync();
            return world;
        }

        /// <summary>Makes the products' leases, which a busy machine's first callers may not have had by the end.</summary>
        async Task ReserveEachAsync()
        {
            using var client = new HttpClient();
            foreach (string product in Products)
            {
                using var body = new StringContent("{\"quantity\":1,\"customerId\":\"first\"}", Encoding.UTF8,
                                                   "application/json");
                using HttpResponseMessage answer =
                    await client.PostAsync($"{App.Address}api/inventory/{product}/reserve", body);
                Expect.Equal(200, (int)answer.StatusCode, $"the first answer about {product}");
            }
        }

        /// <summary>Returns when the signal was sent, by the crowd's clock.</summary>
        public async Task<TimeSpan> EndHandlerAsync(int signal)
        {
            Task calls = Crowd.ForAsync(Callers, Before + After);
            await Task.Delay(Before);
            LogLength = App.Host.Output.Length;
            TimeSpan at = Crowd.Clock.Elapsed;
            _ = kill(App.HandlerId, signal);
            await calls;
            return at;
        }

        /// <summary>Somebody else can have the products' leases.</summary>
        public async Task ExpectNoLeaseAsync()
        {
            foreach (string product in Products)
            {
                BlobLeaseClient lease = new BlobClient(Azurite.ConnectionString, "leases", $"lease-inventory-{product}")
                                            .GetBlobLeaseClient();
                await lease.AcquireAsync(TimeSpan.FromSeconds(15));
                await lease.ReleaseAsync();
            }
        }

        public void Dispose()
        {
            Crowd.Dispose();
            App.Dispose();
            Azurite.Dispose();
        }

        [DllImport("libc")]
        static extern int kill(int process, int signal);
    }
}
