using System.Globalization;
using System.Text;

namespace Leasehold.Checks;

/// <summary>A request as its caller sends it. Parts are sent one by one with a pause, where there are several.</summary>
sealed record RawRequest(string Title, params string[] Parts)
{
    public string Name => Title.Replace("\r\n", " | ");

    public string Method => Parts[0].TrimStart('\r', '\n').Split(' ')[0];
}

/// <summary>The requests that go to both hosts. A character is a byte.</summary>
static class AlikeRequests
{
    public static IEnumerable<RawRequest> Heads =>
    [
        Get("a plain GET", "/api/items/1"),
        Get("a query", "/api/items/1?a=1&b=2&a=3&empty=&bare&%41=%42+c&=x"),
        Get("a query with bad escapes", "/api/items/1?a=%zz&b=%&c=%e4"),
        Get("a query with UTF-8 escapes", "/api/items/1?a=%c3%a4%f0%9f%98%80"),
        Get("a query of question marks", "/api/items/1?a=?&b=//"),
        Get("a fragment", "/api/items/1#part"),
        .. from method in (string[])["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "FOO", "Post", "PROPFIND"]
           select new RawRequest($"method {method}", $"{method} /api/items/1 HTTP/1.1\r\nHost: shop\r\n\r\n"),
        .. from line in (string[])["GET /api/items/1", "GET /api/items/1 HTTP/1.0", "GET /api/items/1 HTTP/2.0",
                                   "GET /api/items/1 HTTP/1.2", "GET /api/items/1 http/1.1", "GET  /api/items/1 HTTP/1.1",
                                   "GET /api/items/1  HTTP/1.1", "GET\t/api/items/1\tHTTP/1.1", " GET /api/items/1 HTTP/1.1",
                                   "GET /api/items/1 HTTP/1.1 ", "GET api/items/1 HTTP/1.1", "GET * HTTP/1.1", "GET",
                                   "OPTIONS * HTTP/1.1", "CONNECT shop:80 HTTP/1.1", "G(T /api/items/1 HTTP/1.1",
                                   "GET http://shop/api/items/1 HTTP/1.1", "GET http://other/api/items/1 HTTP/1.1",
                                   "GET https://shop/api/items/1?a=b HTTP/1.1", "GET http://shop HTTP/1.1",
                                   "GET HTTP://SHOP/api/items/1 HTTP/1.1", "GET http:///api/items/1 HTTP/1.1"]
           select new RawRequest($"line '{line}'", $"{line}\r\nHost: shop\r\n\r\n"),
        new("an empty first line", "\r\nGET /api/items/1 HTTP/1.1\r\nHost: shop\r\n\r\n"),
        new("two empty first lines", "\r\n\r\nGET /api/items/1 HTTP/1.1\r\nHost: shop\r\n\r\n"),
        new("bare LF", "GET /api/items/1 HTTP/1.1\nHost: shop\nX-A: b\n\n"),
        new("a lone CR in a header", "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\nX-A: b\rc\r\n\r\n"),
        new("a head in pieces", "GET /api/it", "ems/1 HTTP/1.1\r\nHo", "st: shop\r\n\r", "\n"),
        new("two requests at once",
            "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\n\r\nGET /api/items/2 HTTP/1.1\r\nHost: shop\r\n\r\n"),
        new("HTTP/1.0 without Host", "GET /api/items/1 HTTP/1.0\r\n\r\n"),
        new("HTTP/1.0 kept alive", "GET /api/items/1 HTTP/1.0\r\nHost: shop\r\nConnection: keep-alive\r\n\r\n"),
        new("no Host", "GET /api/items/1 HTTP/1.1\r\n\r\n"),
        new("two Hosts", "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\nHost: shop\r\n\r\n"),
        .. from host in (string[])["", " ", "shop:80", "shop:port", "shop:99999", "sh op", "sh/op", "sh@op", "[::1]:80",
                                   "[::1", "sh\u00c3\u00b6p", "shop,shop", "SHOP"]
           select new RawRequest($"Host '{host}'", $"GET /api/items/1 HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    ];

    public static IEnumerable<RawRequest> Paths =>
        from path in (string[])["/", "//", "/api", "/api/", "/api/items", "/api/items/", "/api/items/1/", "/api/items/1//",
                                "/api//items/1", "//api/items/1", "/API/Items/1", "/api/items/1/more", "/api/items/1/MORE/",
                                "/api/items/1/more/x", "/api/items/a/../1", "/api/./items/1", "/api/items/%2e%2e/items/1",
                                "/api/items/%2E/1", "/../api/items/1", "/api/items/..", "/api/items/1/..", "/api/items/.",
                                "/api/items/...", "/api/items/%2e%2e%2fx", "/api/items/a%2Fb", "/api/items/a%2fb",
                                "/api/items/a%5Cb", "/api/items/a\\b", "/api/items/%00", "/api/items/a%20b",
                                "/api/items/a+b", "/api/items/%25", "/api/items/%2525", "/api/items/%23", "/api/items/%3F",
                                "/api/items/%", "/api/items/%4", "/api/items/%zz", "/api/items/%C3%A4", "/api/items/%e4",
                                "/api/items/\u00c3\u00a4", "/api/items/%c3", "/api/items/%F0%9F%98%80", "/api/items/%7F",
                                "/api/items/%0A", "/api/items/a;b=c", "/api/items/a,b", "/api/items/a:b", "/api/items/a@b",
                                "/api/items/~x", "/api/items/(x)", "/api/items/[x]", "/api/items/{x}", "/api/items/x|y",
                                "/api/items/\"x\"", "/api/items/<x>", "/api/items/x^y", "/api/items/x`y", "/api/items/%41",
                                "/api/%69tems/1", "/api/static/list", "/api/static/LIST", "/admin/functions/NoSuch"]
        select Get($"path {path}", path);

    public static IEnumerable<RawRequest> Headers =>
    [
        .. from header in (string[])["X-A: b", "X-A:b", "X-A:  b  ", "X-A: b\tc", "X-A: \tb\t", "X-A:", "X-A: ", "X-A : b", "X A: b",
                                     ": b", "X-A", "X-A: a\r\n b", " X-A: b", "X-A: b\r\nX-A: c", "X-A: b\r\nx-a: c",
                                     "X-A: \u00c3\u00a4", "X-A: \u00e4", "X-A: a\u0001b", "X-A: a\u007fb", "X-A: a\0b",
                                     "X-\u00c3\u00a4: b", "X(A): b", "X_A.b!: c", "Accept: a\r\nAccept: b", "Cookie: a=b\r\nCookie: c=d",
                                     "Connection: close", "Connection: keep-alive, X-A\r\nX-A: b", "Keep-Alive: timeout=5",
                                     "Proxy-Connection: close", "TE: trailers", "TE: gzip", "Trailer: X-A", "Upgrade: websocket",
                                     "Connection: upgrade\r\nUpgrade: websocket", "X-Forwarded-For: 1.2.3.4",
                                     "X-Forwarded-Proto: https", "X-Forwarded-Host: other", "Forwarded: for=1.2.3.4",
                                     "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                     "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b",
                                     "traceparent: rubbish", "Request-Id: |abc.", "x-ms-invocation-id: mine",
                                     "X-Azure-Functions-InvocationId: mine", "User-Agent: curl/8", "Authorization: Basic eA==",
                                     "Accept-Encoding: gzip", "If-Match: \"1\"", "If-Match: \"1\"\r\nIf-Match: \"2\"",
                                     "Idempotency-Key: k1\r\nIdempotency-Key: k2", "Date: today", "Range: bytes=0-1",
                                     "Expect: 100-continue", "Expect: other", "Via: 1.1 x", "Max-Forwards: 0", "Content-Type: text/plain",
                                     "Content-Length: 0", "X-Long: " + new string('x', 8000)]
           select new RawRequest($"header '{(header.Length > 100 ? header[..100] : header)}'",
                                 $"GET /api/items/1 HTTP/1.1\r\nHost: shop\r\n{header}\r\n\r\n"),
        new("100 headers", "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\n" + Many(99) + "\r\n"),
        new("101 headers", "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\n" + Many(100) + "\r\n"),
        new("33 KB of headers", "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\nX-A: " + new string('x', 33_000) + "\r\n\r\n"),
        Get("a target of 8,000 bytes", "/api/items/" + new string('x', 7_900)),
        Get("a target of 9,000 bytes", "/api/items/" + new string('x', 9_000)),
    ];

    public static IEnumerable<RawRequest> Bodies =>
    [
        Post("a body", "Content-Length: 7", "{\"a\":1}"),
        Post("a body without a type", "Content-Length: 7\r\nContent-Type:", "{\"a\":1}"),
        .. from type in (string[])["application/json\r\nContent-Type: application/json", "application/json, text/plain",
                                   "rubbish", "application/json; charset=utf-16", "application/json;", "text/plain; x=\"y"]
           select Post($"Content-Type '{type}'", $"Content-Type: {type}\r\nContent-Length: 7", "{\"a\":1}"),
        Post("no body, no length", "X-A: b", ""),
        Post("an empty body", "Content-Length: 0", ""),
        Post("a body with a BOM", "Content-Length: 10", "\u00ef\u00bb\u00bf{\"a\":1}"),
        Post("bytes", "Content-Type: application/octet-stream\r\nContent-Length: 4", "\0\u0001\u00ff\n"),
        Post("multipart", "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 4", "--x-"),
        Post("text that is no UTF-8", "Content-Length: 4", "a\u00e4\u00ffb"),
        Post("a NUL in the text", "Content-Length: 3", "a\0b"),
        Post("quotes and escapes", "Content-Length: 6", "\"\\/\n\u007f<"),
        Post("UTF-8 in the text", "Content-Length: 6", "\u00c3\u00a4\u00f0\u009f\u0098\u0080"),
        Post("chunks", "Transfer-Encoding: chunked", "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n"),
        Post("chunks with extensions", "Transfer-Encoding: chunked", "7;a=b;c=\"d\"\r\n{\"a\":1}\r\n0;x\r\n\r\n"),
        Post("chunks with a trailer", "Transfer-Encoding: chunked", "7\r\n{\"a\":1}\r\n0\r\nX-T: v\r\n\r\n"),
        Post("upper-case CHUNKED", "Transfer-Encoding: CHUNKED", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
        Post("an empty chunked body", "Transfer-Encoding: chunked", "0\r\n\r\n"),
        Post("a bad chunk size", "Transfer-Encoding: chunked", "zz\r\n{\"a\":1}\r\n0\r\n\r\n"),
        Post("a chunk longer than said", "Transfer-Encoding: chunked", "3\r\n{\"a\":1}\r\n0\r\n\r\n"),
        Post("a chunk of 16 digits", "Transfer-Encoding: chunked", "ffffffffffffffff\r\nx"),
        Post("chunked and a length", "Transfer-Encoding: chunked\r\nContent-Length: 3", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
        Post("gzip, chunked", "Transfer-Encoding: gzip, chunked", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
        Post("chunked, gzip", "Transfer-Encoding: chunked, gzip", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
        Post("identity", "Transfer-Encoding: identity\r\nContent-Length: 7", "{\"a\":1}"),
        Post("a gzip encoding", "Content-Encoding: gzip\r\nContent-Length: 7", "{\"a\":1}"),
        .. from length in (string[])["+7", "-1", "0x7", "7, 7", "7 ", "07", "seven", "", "99999999999999999999", "7\r\nContent-Length: 7",
                                     "7\r\nContent-Length: 8"]
           select Post($"Content-Length '{length}'", $"Content-Length: {length}", "{\"a\":1}"),
        Post("100-continue", "Expect: 100-continue\r\nContent-Length: 7", "{\"a\":1}"),
        Post("a body in pieces", "Content-Length: 7", "{\"a", "\":", "1}"),
        Post("more than its length", "Content-Length: 7", "{\"a\":1}rest"),
        Post("70 KB", "Content-Length: 70000", new string('x', 70_000)),
        Post("over 100 MB announced", "Content-Length: 104857601", "x"),
        new("a GET with a body", "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\nContent-Length: 7\r\n\r\n{\"a\":1}"),
        new("a GET with chunks", "GET /api/items/1 HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        new("admin without a body", "POST /admin/functions/Items HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n"),
        new("admin with JSON", "POST /admin/functions/Items HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n" +
                                   "Content-Length: 2\r\n\r\n{}"),
        new("admin with text", "POST /admin/functions/Items HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n" +
                                   "Content-Length: 2\r\n\r\nab"),
    ];

    /// <summary>What the handler does about them, as the probe is told.</summary>
    public static IEnumerable<RawRequest> Endings =>
        from wish in (string[])["close", "reset", "garbage", "cut-head", "cut-body", "cut-chunk", "not-json", "array",
                                "no-outputs", "text", "raw-503", "interim", "close-header", "no-length", "201", "204", "304",
                                "302", "404", "409", "500", "503", "599"]
        from request in (RawRequest[])[Get($"GET, handler: {wish}", $"/api/items/1?do={wish}"),
                                       Post($"POST, handler: {wish}", "Content-Length: 7", "{\"a\":1}") with
                                       {
                                           Parts = [PostHead($"/api/items/1?do={wish}", "Content-Length: 7") + "{\"a\":1}"],
                                       }]
        select request;

    /// <summary>Each ends the handler; the next one waits for a new handler.</summary>
    public static IEnumerable<RawRequest> Deaths =>
    [
        Post("POST, handler: exit 0", "", "") with { Parts = [PostHead("/api/items/1?do=exit0", "Content-Length: 1") + "x"] },
        Get("GET after exit 0", "/api/items/1"),
        Post("POST, handler: exit 1", "", "") with { Parts = [PostHead("/api/items/1?do=exit1", "Content-Length: 1") + "x"] },
        Get("GET after exit 1", "/api/items/1"),
        Post("POST, handler: killed", "", "") with { Parts = [PostHead("/api/items/1?do=killed", "Content-Length: 1") + "x"] },
        Post("POST after SIGKILL", "Content-Length: 7", "{\"a\":1}"),
    ];

    static RawRequest Get(string name, string target) => new(name, $"GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n");

    static RawRequest Post(string name, string headers, params string[] body) =>
        new(name, [PostHead("/api/items/1", headers), .. body.Where(part => part.Length > 0)]);

    static string PostHead(string target, string headers)
    {
        string type = headers.Contains("Content-Type:") ? "" : "Content-Type: application/json\r\n";
        return $"POST {target} HTTP/1.1\r\nHost: shop\r\n{type}{headers}\r\n\r\n";
    }

    static string Many(int count) => string.Concat(
        Enumerable.Range(0, count).Select(i => $"X-{i.ToString(CultureInfo.InvariantCulture)}: v\r\n"));
}
