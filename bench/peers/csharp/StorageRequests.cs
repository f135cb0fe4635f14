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

    // The keyed hash is kept: it costs more to make than to use.
    readonly ThreadLocal<IncrementalHash> hashes = new(() => IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, account.Key));

    string Authorization(string stringToSign)
    {
        var hash = hashes.Value!;
        Span<byte> text = stackalloc byte[1024], signature = stackalloc byte[HMACSHA256.HashSizeInBytes];
        hash.AppendData(Encoding.UTF8.TryGetBytes(stringToSign, text, out var length) ? text[..length] : Encoding.UTF8.GetBytes(stringToSign));
        hash.GetHashAndReset(signature);
        return $"SharedKey {account.Name}:{Convert.ToBase64String(signature)}";
    }

    static string Date() => DateTime.UtcNow.ToString("R");

    public Task<HttpResponseMessage> TableAsync(HttpMethod method, string resource, string? contentType, ReadOnlyMemory<byte>? body,
        CancellationToken cancel, bool wantsNoContent = false)
    {
        var request = new HttpRequestMessage(method, account.TableEndpoint + resource);
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
        if (body is { } bytes)
        {
            request.Content = new ReadOnlyMemoryContent(bytes);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }
        return client.SendAsync(request, cancel);
    }

    // A PUT without a body.
    public async Task<HttpStatusCode> PutBlobAsync(string path, string query, string signedQuery, CancellationToken cancel,
        params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, account.BlobEndpoint + path + query) { Content = new ByteArrayContent([]) };
        (string Name, string Value)[] all = [("x-ms-date", Date()), .. headers, ("x-ms-version", "2020-10-02")];
        Array.Sort(all, static (a, b) => string.CompareOrdinal(a.Name, b.Name)); // as the signature wants them
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
