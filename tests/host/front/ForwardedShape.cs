using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.WebUtilities;

namespace Leasehold.Front;

/// <summary>
/// The caller's request, built anew and sent by HttpClient (DefaultHttpWorkerService, HttpRequestExtensions). The path
/// is taken from its decoded form. Only a body with a Content-Length is passed on.
/// </summary>
sealed class ForwardedShape(HttpClient client, Handler handler)
{
    public async Task InvokeAsync(HttpContext context, string invocationId)
    {
        using HttpRequestMessage request = Rebuild(context.Request);
        HostHeaders.Add(request, invocationId);
        using HttpResponseMessage answer = await client.SendAsync(request);
        await PassOnAsync(answer, context.Response);
    }

    HttpRequestMessage Rebuild(HttpRequest request)
    {
        string path = new Uri(request.GetDisplayUrl()).AbsolutePath;
        string address = new UriBuilder("http", "127.0.0.1", handler.Port, path).ToString();
        var query = request.Query.ToDictionary(pair => pair.Key, string? (pair) => pair.Value.ToString());
        var rebuilt = new HttpRequestMessage(new HttpMethod(request.Method), QueryHelpers.AddQueryString(address, query));
        foreach ((string name, var values) in request.Headers)
        {
            rebuilt.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
        }
        if (request.ContentLength > 0)
        {
            rebuilt.Content = new StreamContent(request.Body);
            rebuilt.Content.Headers.ContentLength = request.ContentLength;
            if (!string.IsNullOrEmpty(request.ContentType))
            {
                rebuilt.Content.Headers.Add("Content-Type", request.ContentType);
            }
        }
        return rebuilt;
    }

    static async Task PassOnAsync(HttpResponseMessage answer, HttpResponse response)
    {
        response.StatusCode = (int)answer.StatusCode;
        foreach ((string name, IEnumerable<string> values) in answer.Headers.Concat(answer.Content.Headers))
        {
            if (!name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase))
            {
                response.Headers.Append(name, values.ToArray());
            }
        }
        await answer.Content.CopyToAsync(response.Body);
    }
}

/// <summary>What the host adds to the requests that it makes itself.</summary>
static class HostHeaders
{
    public const string Version = "4.1048.200.26180";

    public static void Add(HttpRequestMessage request, string invocationId)
    {
        request.Headers.Add("X-Azure-Functions-HostVersion", Version);
        request.Headers.Add("X-Azure-Functions-InvocationId", invocationId);
        request.Headers.UserAgent.ParseAdd($"Azure-Functions-Host/{Version}");
    }
}
