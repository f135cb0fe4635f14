using System.Threading.Channels;

namespace Peer;

// Writes lines in the background: all that have come in since the last write go out with the next.
sealed class LineLog
{
    readonly Channel<string> lines = Channel.CreateUnbounded<string>(new() { SingleReader = true });
    readonly string prefix;

    public LineLog(string prefix)
    {
        this.prefix = prefix;
        _ = Task.Run(WriteAllAsync);
    }

    public void Write(string line) => lines.Writer.TryWrite(line);

    async Task WriteAllAsync()
    {
        using var output = new StreamWriter(Console.OpenStandardOutput(), bufferSize: 32 * 1024) { AutoFlush = false };
        while (await lines.Reader.WaitToReadAsync())
        {
            while (lines.Reader.TryRead(out var line))
            {
                output.Write(prefix);
                output.Write(line);
                output.Write('\n');
            }
            output.Flush();
        }
    }
}
