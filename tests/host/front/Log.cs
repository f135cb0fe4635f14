using System.Globalization;

namespace Leasehold.Front;

/// <summary>The host's console: one line for each message, with the time.</summary>
static class Log
{
    static readonly Lock Gate = new();

    public static void Write(string message)
    {
        lock (Gate)
        {
            string time = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
            Console.Out.Write($"[{time}] {message}\n");
            Console.Out.Flush();
        }
    }
}
