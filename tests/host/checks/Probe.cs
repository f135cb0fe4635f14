using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Leasehold.Checks;

/// <summary>
/// A handler that answers with what reached it, byte by byte. A query `do=THING` in the caller's request has it behave
/// otherwise: see Behave.
/// </summary>
static partial class Probe
{
    static readonly Encoding Bytes = Encoding.Latin1;
    static readonly string[] OfDotnet = ["Actor", "BootstrapContext", "Label", "Name", "NameClaimType", "RoleClaimType"];

    public static async Task<int> RunAsync()
    {
        var listener = new TcpListener(
            IPAddress.Loopback, int.Parse(Environment.GetEnvironmentVariable("FUNCTIONS_CUSTOMHANDLER_PORT")!));
        listener.Start(backlog: 1000);
        while (true)
        {
            _ = ServeAsync(await listener.AcceptTcpClientAsync());
        }
    }

    static async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            client.NoDelay = true;
            NetworkStream stream = client.GetStream();
            var unread = new StringBuilder();
            try
            {
                while (await ReadRequestAsync(stream, unread) is var (head, body) && head.Length > 0)
                {
                    await AnswerAsync(client, stream, head, body);
                }
            }
            catch (IOException)
            {
                // the host has gone
            }
        }
    }

    static async Task AnswerAsync(TcpClient client, NetworkStream stream, string head, string body)
    {
        Match wish = Wish().Match(head);
        wish = wish.Success ? wish : WishInEnvelope().Match(body);
        bool isEnvelope = body.StartsWith("{\"Data\":");
        string answer = Behave(wish.Groups[1].Value, client, Describe(head, body), isEnvelope);
        await stream.WriteAsync(Bytes.GetBytes(answer));
        if (!answer.StartsWith("HTTP/1.1 ") || answer.Contains("Connection: close") || answer.EndsWith("CUT"))
        {
            client.Close();
            throw new IOException("closed as wished");
        }
    }

    /// <summary>The bytes to answer with; none: the connection is ended.</summary>
    static string Behave(string wish, TcpClient client, JObject described, bool isEnvelope)
    {
        switch (wish)
        {
        case "close":
            return "";
        case "reset":
            client.LingerState = new LingerOption(true, 0);
            return "";
        case "exit1":
            Environment.Exit(1);
            return "";
        case "exit0":
            Environment.Exit(0);
            return "";
        case "killed":
            _ = kill(Environment.ProcessId, Signals.Kill);
            return "";
        case "garbage":
            return "this is no HTTP\r\n\r\n";
        case "cut-head":
            return "HTTP/1.1 200 OK\r\nContent-Le-CUT";
        case "cut-body":
            return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{-CUT";
        case "cut-chunk":
            return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n10\r\nsec-CUT";
        case "not-json":
            return Whole(200, "Content-Type: application/json\r\n", "{\"Outputs\"");
        case "array":
            return Whole(200, "Content-Type: application/json\r\n", "[]");
        case "no-outputs":
            return Whole(200, "Content-Type: application/json\r\n", "{\"Outputs\":null,\"Logs\":[],\"ReturnValue\":null}");
        case "text":
            return Whole(200, "Content-Type: text/plain\r\n", "{\"Outputs\":{\"res\":{\"statusCode\":200,\"body\":\"x\"}}}");
        case "raw-503":
            return Whole(503, "Content-Type: application/json\r\nRetry-After: 1\r\n", "{\"error\":{}}");
        case "interim":
            return "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + Wrap(200, described, isEnvelope);
        case "close-header":
            return Wrap(200, described, isEnvelope).Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        case "no-length":
            return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" +
                   (isEnvelope ? Envelope(200, described) : described.ToString(Formatting.None));
        case var status when int.TryParse(status, out int code):
            return Wrap(code, described, isEnvelope);
        default:
            return Wrap(200, described, isEnvelope);
        }
    }

    static string Wrap(int status, JObject described, bool isEnvelope)
    {
        string text = described.ToString(Formatting.None);
        return isEnvelope ? Whole(200, "Content-Type: application/json\r\n", Envelope(status, described))
                          : Whole(status, "Content-Type: application/json\r\nETag: \"7\"\r\nX-Twice: a\r\nX-Twice: b\r\n",
                                  status is 204 or 304 ? null : text);
    }

    static string Envelope(int status, JObject described) => JsonConvert.SerializeObject(new
    {
        Outputs = new
        {
            res = new
            {
                statusCode = status.ToString(),
                headers = new Dictionary<string, string> { ["Content-Type"] = "application/json", ["ETag"] = "\"7\"" },
                body = status is 204 or 304 ? "" : described.ToString(Formatting.None),
            },
        },
        Logs = (string[])["seen"],
        ReturnValue = (object?)null,
    });

    static string Whole(int status, string headers, string? body) =>
        $"HTTP/1.1 {status} Probed\r\n{headers}{(body == null ? "" : $"Content-Length: {body.Length}\r\n")}\r\n{body}";

    /// <summary>What reached the handler; all as Latin-1, so that a byte is a character.</summary>
    static JObject Describe(string head, string body)
    {
        string[] lines = head.TrimEnd().Split("\r\n");
        return new JObject
        {
            ["line"] = Escape(lines[0]),
            ["headers"] = new JArray(lines.Skip(1).Order(StringComparer.OrdinalIgnoreCase).Select(Escape)),
            ["body"] = Escape(body.Length > 4096 ? "large" : Sorted(body)),
        };
    }

    /// <summary>
    /// An envelope's members by name, so that their order does not count, and of Identities only what means something
    /// outside .NET. Any other body as it is.
    /// </summary>
    static string Sorted(string body)
    {
        return body.StartsWith("{\"Data\":") ? Sort(JToken.Parse(body)).ToString(Formatting.None) : body;

        static JToken Sort(JToken token) =>
            token is JObject members
                ? new JObject(members.Properties().Where(member => !OfDotnet.Contains(member.Name))
                                  .OrderBy(member => member.Name, StringComparer.Ordinal)
                                  .Select(member => new JProperty(member.Name, Sort(member.Value))))
            : token is JArray items ? new JArray(items.Select(Sort))
                                    : token;
    }

    static string Escape(string bytes) =>
        string.Concat(bytes.Select(c => c is >= ' ' and < (char)127 ? c.ToString() : $"\\x{(int)c:x2}"));

    static async Task<(string Head, string Body)> ReadRequestAsync(NetworkStream stream, StringBuilder unread)
    {
        string head = await TakeThroughAsync(stream, unread, "\r\n\r\n");
        if (ChunkedHeader().IsMatch(head))
        {
            var body = new StringBuilder();
            while (true)
            {
                int size = Convert.ToInt32((await TakeThroughAsync(stream, unread, "\r\n")).Split(';')[0].Trim(), 16);
                if (size == 0)
                {
                    while (await TakeThroughAsync(stream, unread, "\r\n") is { Length: > 2 } trailer)
                    {
                        body.Append($"[trailer {trailer.Trim()}]");
                    }
                    return (head, body.ToString());
                }
                body.Append(await TakeAsync(stream, unread, size));
                await TakeAsync(stream, unread, 2);
            }
        }
        Match length = LengthHeader().Match(head);
        return (head, length.Success ? await TakeAsync(stream, unread, int.Parse(length.Groups[1].Value)) : "");
    }

    static async Task<string> TakeThroughAsync(NetworkStream stream, StringBuilder unread, string end)
    {
        int at;
        while ((at = unread.ToString().IndexOf(end, StringComparison.Ordinal)) < 0)
        {
            if (!await FillAsync(stream, unread))
            {
                return "";
            }
        }
        return await TakeAsync(stream, unread, at + end.Length);
    }

    static async Task<string> TakeAsync(NetworkStream stream, StringBuilder unread, int length)
    {
        while (unread.Length < length)
        {
            if (!await FillAsync(stream, unread))
            {
                throw new IOException("cut off");
            }
        }
        string taken = unread.ToString(0, length);
        unread.Remove(0, length);
        return taken;
    }

    static async Task<bool> FillAsync(NetworkStream stream, StringBuilder unread)
    {
        byte[] buffer = new byte[65536];
        int count = await stream.ReadAsync(buffer);
        unread.Append(Bytes.GetString(buffer, 0, count));
        return count > 0;
    }

    [GeneratedRegex("[?&]do=([a-z0-9-]+)")]
    private static partial Regex Wish();

    [GeneratedRegex("\"do\":\"([a-z0-9-]+)\"")]
    private static partial Regex WishInEnvelope();

    [GeneratedRegex("^transfer-encoding: *chunked", RegexOptions.IgnoreCase | RegexOptions.Multiline)]
    private static partial Regex ChunkedHeader();

    [GeneratedRegex("^content-length: *([0-9]+)", RegexOptions.IgnoreCase | RegexOptions.Multiline)]
    private static partial Regex LengthHeader();

    [DllImport("libc")]
    static extern int kill(int process, int signal);
}
