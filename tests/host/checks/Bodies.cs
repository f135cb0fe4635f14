using System.Diagnostics;
using System.Globalization;
using System.Text;
using Leasehold.Front;

namespace Leasehold.Checks;

/// <summary>
/// Bodies that the handler refuses, through the host: it sends the whole body before it reads the answer, so an answer
/// survives only if the handler reads on.
/// </summary>
static class Bodies
{
    const int Megabyte = 1_000_000;
    static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(90);

    enum Framing { Length, Chunked }

    /// <summary>A body of `Bytes`, sent evenly over `Duration`.</summary>
    sealed record Body(int Bytes, TimeSpan Duration, int Status);

    static readonly Body[] Fast = [.. ((double[])[1, 1.1, 1.5, 2, 5, 20, 50, 99])
                                       .Select(size => new Body((int)(size * Megabyte), TimeSpan.Zero, 413))];

    static readonly Body[] Slow =
    [
        new(3 * Megabyte / 2, TimeSpan.FromSeconds(4), 413),
        new(5 * Megabyte, TimeSpan.FromSeconds(10), 413),
        new(99 * Megabyte, TimeSpan.FromSeconds(20), 413),
        new(20_000, TimeSpan.FromSeconds(45), 408),
    ];

    /// <summary>All together, because the slow ones do little but wait.</summary>
    public static IEnumerable<Check> Checks => [new("bodies: 1 to 99 MB, fast and slow, both framings, all shapes",
                                                    () => Task.WhenAll(Enum.GetValues<Shape>().Select(RunAsync)))];

    static async Task RunAsync(Shape shape)
    {
        using Azurite azurite = await Azurite.StartAsync();
        using AppUnderTest app = await AppUnderTest.StartAsync(HostKind.Front, shape, azurite.ConnectionString);
        var failures = new List<string>();
        Framing[] framings = Enum.GetValues<Framing>();
        Task[] slow = [.. Slow.SelectMany(body => framings.Select(framing => CallAsync(app, shape, body, framing, failures)))];
        foreach (Body body in Fast)
        {
            foreach (Framing framing in framings)
            {
                await CallAsync(app, shape, body, framing, failures);
            }
        }
        await Task.WhenAll(slow);
        Expect.True(failures.Count == 0, string.Join('\n', failures));
    }

    static async Task CallAsync(AppUnderTest app, Shape shape, Body body, Framing framing, List<string> failures)
    {
        using RawConnection connection = await RawConnection.OpenAsync(app.Port);
        string length = framing == Framing.Length ? $"Content-Length: {body.Bytes}" : "Transfer-Encoding: chunked";
        await connection.SendAsync("POST /api/inventory/PROD-001/reserve HTTP/1.1\r\nHost: shop\r\n" +
                                   $"Content-Type: application/json\r\n{length}\r\n\r\n");
        Task sending = SendBodyAsync(connection, body, framing);
        RawAnswer answer = await connection.ReadAsync("POST", AnswerTimeout);
        if (!IsExpected(answer, shape, body, framing))
        {
            lock (failures)
            {
                failures.Add($"{shape}, {body}, {framing}: {answer}");
            }
        }
        connection.Dispose();
        await sending;
    }

    /// <summary>
    /// What a chunked body becomes in the older shapes is the host's doing. For an envelope it reads the whole body first,
    /// so that none is slow for the handler.
    /// </summary>
    static bool IsExpected(RawAnswer answer, Shape shape, Body body, Framing framing)
    {
        int status = framing == Framing.Chunked && shape == Shape.Forward ? 500
                     : shape == Shape.Invocation && (framing == Framing.Chunked || body.Status == 408) ? 400
                                                                                                       : body.Status;
        return answer.Status == status && !answer.IsCut && (status == 500 || answer.Body.Contains("\"error\""));
    }

    static async Task SendBodyAsync(RawConnection connection, Body body, Framing framing)
    {
        int pieces = body.Duration > TimeSpan.Zero ? 90 : Math.Max(1, body.Bytes / (Megabyte / 2));
        long started = Stopwatch.GetTimestamp();
        for (int i = 0, sent = 0; i < pieces; i++)
        {
            int size = (int)((long)body.Bytes * (i + 1) / pieces) - sent;
            sent += size;
            if (!await connection.SendAsync(Piece(size, framing)))
            {
                return;
            }
            TimeSpan due = body.Duration * (i + 1) / pieces - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.Zero)
            {
                await Task.Delay(due);
            }
        }
        if (framing == Framing.Chunked)
        {
            await connection.SendAsync("0\r\n\r\n");
        }
    }

    static byte[] Piece(int size, Framing framing)
    {
        string spaces = new(' ', size);
        string size16 = size.ToString("x", CultureInfo.InvariantCulture);
        return Encoding.ASCII.GetBytes(framing == Framing.Chunked ? $"{size16}\r\n{spaces}\r\n" : spaces);
    }
}
