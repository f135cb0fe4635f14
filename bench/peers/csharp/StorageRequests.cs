using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Peer;

sealed class PreconditionException : Exception;
sealed class NotFoundException : Exception;
sealed class ExistsException : Exception;

sealed record Account(string Name, byte[] Key, string BlobEndpoint, string TableEndpoint)
{
    public static Account Parse(string connectionString)
    {
        var fields = connectionString.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(part => part.Split('=', 2))
            .ToDictionary(part => part[0], part => part[1]);
        return new Account(fields["AccountName"], Convert.FromBase64String(fields["AccountKey"]),
            fields["BlobEndpoint"].TrimEnd('/'), fields["TableEndpoint"].TrimEnd('/'));
    }
}

// Signs requests with the account's key and sends them on kept connections.
sealed class StorageRequests(Account account)
{
    public Account Account => account;

    readonly HttpMessageInvoker client = new(new SocketsHttpHandler
    {
        AutomaticDecompression = DecompressionMethods.None,
        MaxConnectionsPerServer = 512,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(90),
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,
    });

    string Authorization(string stringToSign) =>
        "SharedKey " + account.Name + ":" + Convert.ToBase64String(HMACSHA256.HashData(account.Key, Encoding.UTF8.GetBytes(stringToSign)));

    static string Date() => DateTime.UtcNow.ToString("R");

    public Task<HttpResponseMessage> TableAsync(string method, string resource, string? contentType, byte[]? body, CancellationToken cancel,
        bool wantsNoContent = false)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), account.TableEndpoint + resource);
        var date = Date();
        var headers = request.Headers;
        headers.TryAddWithoutValidation("x-ms-date", date);
        headers.TryAddWithoutValidation("x-ms-version", "2020-12-06");
        headers.TryAddWithoutValidation("Accept", "application/json;odata=minimalmetadata");
        headers.TryAddWithoutValidation("DataServiceVersion", "3.0");
        headers.TryAddWithoutValidation("MaxDataServiceVersion", "3.0;NetFx");
        if (wantsNoContent)
            headers.TryAddWithoutValidation("Prefer", "return-no-content");
        headers.TryAddWithoutValidation("Authorization",
            Authorization($"{method}\n\n{contentType}\n{date}\n/{account.Name}{request.RequestUri!.AbsolutePath}"));
        if (body != null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }
        return client.SendAsync(request, cancel);
    }

    // A PUT without a body. `headers` are sorted by name, as the signature wants them, but for x-ms-date and x-ms-version.
    public async Task<HttpStatusCode> PutBlobAsync(string path, string query, string signedQuery, CancellationToken cancel,
        params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, account.BlobEndpoint + path + query) { Content = new ByteArrayContent([]) };
        var all = headers.Append(("x-ms-date", Date())).Append(("x-ms-version", "2020-10-02")).OrderBy(h => h.Item1, StringComparer.Ordinal);
        var signed = new StringBuilder("PUT\n\n\n\n\n\n\n\n\n\n\n\n");
        foreach (var (name, value) in all)
        {
            request.Headers.TryAddWithoutValidation(name, value);
            signed.Append(name).Append(':').Append(value).Append('\n');
        }
        signed.Append('/').Append(account.Name).Append(request.RequestUri!.AbsolutePath).Append(signedQuery);
        request.Headers.TryAddWithoutValidation("Authorization", Authorization(signed.ToString()));
        using var response = await client.SendAsync(request, cancel);
        return response.StatusCode;
    }

    public static void Check(string what, int status)
    {
        switch (status)
        {
            case >= 200 and < 300:
                return;
            case 404:
                throw new NotFoundException();
            case 409:
                throw new ExistsException();
            case 412:
                throw new PreconditionException();
            default:
                throw new HttpRequestException($"{what}: status {status}");
        }
    }
}
