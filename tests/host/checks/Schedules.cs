using System.Diagnostics;
using System.Globalization;
using Leasehold.Front;

namespace Leasehold.Checks;

/// <summary>devhost and NCrontab's own library agree on which texts are schedules, and on the times of each.</summary>
static class Schedules
{
    const int Count = 3000;
    const int Times = 5;
    const int Seed = 20250119;

    public static IEnumerable<Check> Checks => [new($"schedules: {Count} generated ones, seed {Seed}", CompareAsync)];

    static readonly (int First, int Last, string[] Names)[] Fields =
    [
        (0, 59, []), (0, 59, []), (0, 23, []), (1, 31, []),
        (1, 12, ["jan", "Feb", "MARCH", "Apr", "may", "June", "ju", "J", "Sept", "dec", "xyz"]),
        (0, 6, ["sun", "Mon", "TUESDAY", "we", "T", "Fri", "satu", "S", "abc"]),
    ];

    /// <summary>Without TimeSpans of zero or less: devhost refuses them (docs/devhost.md).</summary>
    static readonly string[] Fixed =
    [
        "0 */5 * * * *", "*/5 * * * *", "00:05:00", "1.00:00:00", "5", "24:00:00", "23:59:59", "00:60:00", "0:0:1",
        "00:00:00.5", "", " ", "@daily", "@every 5m", "0 0 0 30 2 *", "0 0 0 29 2 *", "0 0 0 31 2,4 *", "0 0 0 * * 7",
        "0 0 12 ? * *", "0 0 12 L * *", "0 0 12 15W * *", "0 0 0 1 1 * 2030", "*/0 * * * * *", "*/-1 * * * * *", "0/-1 * * * * *",
        "0-10/-1 * * * * *", "10-0 * * * * *", "5-5 * * * * *", "* * * * *", "60 * * * * *", "-1 * * * * *", "+1 * * * * *",
        "1,2,3, * * * * *", ",1 * * * * *", "1,,2 * * * * *", "1-2-3 * * * * *", "1/2/3 * * * * *", "*/ * * * * *", "/2 * * * * *",
        "0\t0\t*\t*\t*\t*", "  0  0 *  * * *  ", "0 0 0 1 jan-mar *", "0 0 0 * * mon-fri", "0 0 0 * * fri-mon", "0 0 0 1 */3 *",
        "0 0 0 0 * *", "0 0 0 1 0 *", "0 0 0 1 13 *", "0 0 24 * * *", "*,5 * * * * *", "5,* * * * * *", "*-5 * * * * *", "* /5 * * * * *",
        "99999999999 * * * * *", "1.5 * * * * *", "0x1 * * * * *", "\u00b2 * * * * *",
    ];

    static async Task CompareAsync()
    {
        var random = new Random(Seed);
        var cases = Fixed.Concat(Enumerable.Range(0, Count - Fixed.Length).Select(_ => Generate(random)))
                        .Select(text => (Text: text, After: AnyTime(random))).ToArray();
        string[] ofDevhost = await AskDevhostAsync(
            cases.Select(one => $"{Milliseconds(one.After)} {Times} {one.Text}"));
        Expect.Equal(cases.Length, ofDevhost.Length, "the number of devhost's answers");
        string[] differences =
            [.. cases.Zip(ofDevhost, (one, devhost) => (one.Text, one.After, Front: OfLibrary(one.Text, one.After), devhost))
                 .Where(one => one.Front != one.devhost.Trim())
                 .Select(one => $"'{one.Text}' after {one.After:o}\nfront:   {one.Front}\ndevhost: {one.devhost}")];
        Expect.True(differences.Length == 0,
                    $"{differences.Length} of {cases.Length} differ\n" + string.Join('\n', differences.Take(40)));
    }

    static string OfLibrary(string text, DateTime after)
    {
        if (Schedule.Parse(text) is not { } schedule)
        {
            return "invalid";
        }
        var times = new List<string>();
        while (times.Count < Times && (times.Count == 0 || times[^1] != "never"))
        {
            after = schedule.Next(after);
            times.Add(after == DateTime.MaxValue ? "never" : Milliseconds(after));
        }
        return string.Join(' ', times);
    }

    static string Milliseconds(DateTime time) =>
        new DateTimeOffset(time, TimeSpan.Zero).ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);

    static DateTime AnyTime(Random random) =>
        new DateTime(2020, 1, 1).AddMilliseconds(random.NextInt64((long)TimeSpan.FromDays(365 * 30).TotalMilliseconds));

    static string Generate(Random random)
    {
        int skipped = random.Next(5) == 0 ? 1 : 0; // five fields
        IEnumerable<string> fields = Fields.Skip(skipped).Select(field => GenerateField(random, field));
        return string.Join(random.Next(30) == 0 ? "  " : " ", fields);
    }

    static string GenerateField(Random random, (int First, int Last, string[] Names) field)
    {
        if (random.Next(5) < 2)
        {
            return "*";
        }
        int parts = random.Next(4) == 0 ? random.Next(1, 5) : 1;
        return string.Join(',', Enumerable.Range(0, parts).Select(_ => GeneratePart(random, field)));
    }

    static string GeneratePart(Random random, (int First, int Last, string[] Names) field)
    {
        string step = random.Next(4) > 0 ? "" : random.Next(12) == 0 ? "/-1" : $"/{random.Next(0, field.Last + 2)}";
        return random.Next(4) switch
        {
            0 => "*" + step,
            1 => $"{Value(random, field)}-{Value(random, field)}{step}",
            _ => Value(random, field) + step,
        };
    }

    /// <summary>A value of the field; now and then one beside it.</summary>
    static string Value(Random random, (int First, int Last, string[] Names) field) =>
        field.Names.Length > 0 && random.Next(4) == 0
            ? field.Names[random.Next(field.Names.Length)]
            : (random.Next(60) == 0 ? field.Last + random.Next(1, 3) : random.Next(field.First, field.Last + 1))
                  .ToString(CultureInfo.InvariantCulture);

    static async Task<string[]> AskDevhostAsync(IEnumerable<string> lines)
    {
        var info = new ProcessStartInfo(Path.Combine(Paths.Root, "build/release/tests/host/schedules"))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        info.Environment["TZ"] = "UTC";
        using Process process = Process.Start(info)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        await process.StandardInput.WriteAsync(string.Concat(lines.Select(line => line + "\n")));
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Patience.Long);
        limit.Token.Register(process.Kill);
        await process.WaitForExitAsync();
        Expect.Equal(0, process.ExitCode, "the exit code of schedules");
        return (await output).TrimEnd('\n').Split('\n');
    }
}
