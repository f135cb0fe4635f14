using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Leasehold.Checks;

/// <summary>One answer off a socket. Status 0: the connection ended without one. IsCut: it ended in the answer's midst.</summary>
sealed record RawAnswer(int Status, List<(string Name, string Value)> Headers, string Body, bool IsCut, bool IsClosed)
{
    public string? Header(string name) =>
        Headers.FirstOrDefault(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;

    public override string ToString() =>
        Status == 0 ? "no answer"
                    : $"{Status}{(IsCut ? " cut off" : "")}{(IsClosed ? " closed" : "")} [{string.Join(" | ", Headers)}] {Body}";
}

/// <summary>A connection on which a check sends bytes of its own choice.</summary>
sealed class RawConnection : IDisposable
{
    static readonly Encoding Bytes = Encoding.Latin1;

    readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    readonly byte[] buffer = new byte[65536];
    string unread = "";
    bool ended;

    public static async Task<RawConnection> OpenAsync(int port)
    {
        var connection = new RawConnection();
        await connection.socket.ConnectAsync(IPAddress.Loopback, port);
        return connection;
    }

    public void Dispose() => socket.Dispose();

    public Task SendAsync(string bytes) => SendAsync(Bytes.GetBytes(bytes));

    /// <summary>Sends all of it, or what the other side takes before it ends the connection.</summary>
    public async Task<bool> SendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0)
            {
                bytes = bytes[await socket.SendAsync(bytes)..];
            }
            return true;
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Reads one answer, interim ones left out, and waits a moment for the connection's end.</summary>
    public async Task<RawAnswer> ReadAsync(string method, TimeSpan timeout)
    {
        using var limit = new CancellationTokenSource(timeout);
        try
        {
            while (true)
            {
                RawAnswer answer = await ReadOneAsync(method, limit.Token);
                if (answer.Status is 0 or >= 200)
                {
                    return answer with { IsClosed = await HasEndedAsync() };
                }
            }
        }
        catch (OperationCanceledException)
        {
            return new RawAnswer(-1, [], $"nothing for {timeout.TotalSeconds} s; so far: {unread}", true, ended);
        }
    }

    async Task<RawAnswer> ReadOneAsync(string method, CancellationToken cancel)
    {
        int headEnd;
        while ((headEnd = unread.IndexOf("\r\n\r\n", StringComparison.Ordinal)) < 0)
        {
            if (!await FillAsync(cancel))
            {
                return new RawAnswer(0, [], "", unread.Length > 0, true);
            }
        }
        string[] head = Take(headEnd + 4).TrimEnd().Split("\r\n");
        int status = int.Parse(head[0].Split(' ')[1]);
        var answer = new RawAnswer(
            status, [.. head.Skip(1).Select(line => line.Split(':', 2)).Select(pair => (pair[0], pair[1].Trim()))], "",
            false, false);
        if (status < 200 || status is 204 or 304 || method == "HEAD")
        {
            return answer;
        }
        (string body, bool isWhole) = answer.Header("Transfer-Encoding") != null
                                          ? await ReadChunksAsync(cancel)
                                          : await ReadBytesAsync(answer.Header("Content-Length"), cancel);
        return answer with { Body = body, IsCut = !isWhole };
    }

    async Task<(string Body, bool IsWhole)> ReadBytesAsync(string? contentLength, CancellationToken cancel)
    {
        int length = contentLength == null ? int.MaxValue : int.Parse(contentLength);
        while (unread.Length < length && await FillAsync(cancel))
        {
        }
        bool isWhole = contentLength == null || unread.Length >= length;
        return (Take(Math.Min(length, unread.Length)), isWhole);
    }

    async Task<(string Body, bool IsWhole)> ReadChunksAsync(CancellationToken cancel)
    {
        var body = new StringBuilder();
        while (true)
        {
            int lineEnd;
            while ((lineEnd = unread.IndexOf("\r\n", StringComparison.Ordinal)) < 0)
            {
                if (!await FillAsync(cancel))
                {
                    return (body.ToString(), false);
                }
            }
            int size = Convert.ToInt32(Take(lineEnd + 2).Trim(), 16);
            while (unread.Length < size + 2)
            {
                if (!await FillAsync(cancel))
                {
                    return (body.ToString(), false);
                }
            }
            body.Append(Take(size));
            _ = Take(2);
            if (size == 0)
            {
                return (body.ToString(), true);
            }
        }
    }

    string Take(int length)
    {
        string taken = unread[..length];
        unread = unread[length..];
        return taken;
    }

    async Task<bool> FillAsync(CancellationToken cancel)
    {
        try
        {
            int count = ended ? 0 : await socket.ReceiveAsync(buffer, cancel);
            ended = count == 0;
            unread += Bytes.GetString(buffer, 0, count);
        }
        catch (SocketException)
        {
            ended = true;
        }
        return !ended;
    }

    async Task<bool> HasEndedAsync()
    {
        using var moment = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        try
        {
            return !await FillAsync(moment.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
