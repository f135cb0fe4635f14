using System.Diagnostics;

namespace Leasehold.Checks;

/// <summary>A check that ends without an exception has passed.</summary>
sealed record Check(string Name, Func<Task> RunAsync);

sealed class CheckFailedException(string message) : Exception(message);

static class Expect
{
    public static void True(bool condition, string message)
    {
        if (!condition)
        {
            throw new CheckFailedException(message);
        }
    }

    public static void Equal<T>(T expected, T actual, string what) =>
        True(EqualityComparer<T>.Default.Equals(expected, actual), $"{what} is {actual}, not {expected}");
}

/// <summary>Runs the checks whose names hold one of the words, one after the other, and counts them.</summary>
static class Runner
{
    public static async Task<int> RunAsync(string[] words)
    {
        int passed = 0, failed = 0;
        IEnumerable<Check> all = [.. Schedules.Checks, .. Alike.Checks, .. Contract.Checks, .. Neighbours.Checks, .. Bodies.Checks, .. Ends.Checks,
                                  .. Crowds.Checks];
        foreach (Check check in all.Where(check => words.Length == 0 || words.Any(check.Name.Contains)))
        {
            long started = Stopwatch.GetTimestamp();
            string? failure = null;
            try
            {
                await check.RunAsync();
                passed++;
            }
            catch (Exception exception)
            {
                failed++;
                failure = exception is CheckFailedException ? exception.Message : exception.ToString();
            }
            string verdict = failure == null ? "ok" : "FAIL";
            Console.WriteLine($"{verdict,-4}  {check.Name,-64} {Stopwatch.GetElapsedTime(started).TotalSeconds,7:0.0} s");
            foreach (string line in failure?.Split('\n') ?? [])
            {
                Console.WriteLine($"      | {line}");
            }
        }
        Console.WriteLine($"{passed} passed, {failed} failed");
        return failed == 0 ? 0 : 1;
    }
}
