using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Microsoft.AspNetCore.Mvc.Formatters;
using Microsoft.AspNetCore.WebUtilities;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Leasehold.Front;

/// <summary>What the handler answers to POST /{FunctionName}.</summary>
sealed record InvocationResult(object? ReturnValue, Dictionary<string, object>? Outputs, List<string>? Logs);

/// <summary>An HTTP output among the outputs.</summary>
sealed record HttpOutput(string? StatusCode, string? Status, object? Body, Dictionary<string, object?>? Headers);

/// <summary>The request as an envelope of JSON, and the answer out of one (DefaultHttpWorkerService, HttpBinding).</summary>
sealed class InvocationShape(HttpClient client, Handler handler)
{
    public async Task InvokeAsync(Function function, HttpContext context, RouteValueDictionary route, string invocationId)
    {
        var data = new JObject { [function.Trigger] = await DescribeAsync(context, route) };
        JObject metadata = JObject.FromObject(route);
        InvocationResult result = await CallAsync(function, data, metadata, invocationId) ??
                                  await NeverAsync(context.RequestAborted);
        if (function.Output == null || result.Outputs?.GetValueOrDefault(function.Output) is not { } output)
        {
            throw new InvocationFailedException("The answer has no HTTP output");
        }
        HttpOutput answer = JsonConvert.DeserializeObject<HttpOutput>(output.ToString()!)!;
        await PassOnAsync(answer, context.Response);
    }

    /// <summary>Returns null for an answer without a result: the host then waits until the function times out.</summary>
    public async Task<InvocationResult?> CallAsync(Function function, JObject data, JObject metadata, string invocationId)
    {
        metadata["sys"] = JObject.FromObject(
            new { MethodName = function.Name, UtcNow = DateTime.UtcNow, RandGuid = Guid.NewGuid() });
        string envelope = new JObject { ["Data"] = data, ["Metadata"] = metadata }.ToString(Formatting.None);
        using var request = new HttpRequestMessage(HttpMethod.Post, handler.Address + function.Name);
        request.Content = new StringContent(envelope, Encoding.UTF8, "application/json");
        request.Headers.TransferEncodingChunked = true;
        HostHeaders.Add(request, invocationId);
        using HttpResponseMessage answer = await client.SendAsync(request);
        answer.EnsureSuccessStatusCode();
        return await ReadAsync(answer);
    }

    static async Task<InvocationResult?> ReadAsync(HttpResponseMessage answer)
    {
        string text = await answer.Content.ReadAsStringAsync();
        if (text.Length == 0)
        {
            return null;
        }
        if (answer.Content.Headers.ContentType?.MediaType is not ("application/json" or "text/json"))
        {
            throw new InvocationFailedException($"The answer is {answer.Content.Headers.ContentType}, not JSON");
        }
        InvocationResult? result = JsonConvert.DeserializeObject<InvocationResult>(text);
        result?.Logs?.ForEach(Log.Write);
        return result;
    }

    static async Task<InvocationResult> NeverAsync(CancellationToken cancel)
    {
        await Task.Delay(Timeout.Infinite, cancel);
        throw new OperationCanceledException(cancel);
    }

    static async Task<JObject> DescribeAsync(HttpContext context, RouteValueDictionary route)
    {
        HttpRequest request = context.Request;
        var described = new JObject
        {
            ["Url"] = $"http://{request.Host}{request.Path}{request.QueryString}",
            ["Method"] = request.Method,
            ["Query"] = JObject.FromObject(request.Query.ToDictionary(pair => pair.Key, pair => pair.Value.ToString())),
            ["Headers"] = JObject.FromObject(request.Headers),
            ["Params"] = JObject.FromObject(route),
            ["Identities"] = JArray.FromObject(
                context.User.Identities, new JsonSerializer { ReferenceLoopHandling = ReferenceLoopHandling.Ignore }),
        };
        if (request.ContentLength > 0)
        {
            described["Body"] = await ReadBodyAsync(request);
        }
        return described;
    }

    static async Task<JToken> ReadBodyAsync(HttpRequest request)
    {
        if (!IsBinary(request.ContentType))
        {
            using var reader = new StreamReader(request.Body, Encoding.UTF8);
            return await reader.ReadToEndAsync();
        }
        using var bytes = new MemoryStream();
        await request.Body.CopyToAsync(bytes);
        return Convert.ToBase64String(bytes.ToArray());
    }

    static bool IsBinary(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type) && type.MediaType != null &&
        (type.MediaType.Equals("application/octet-stream", StringComparison.OrdinalIgnoreCase) ||
         type.MediaType.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase));

    static async Task PassOnAsync(HttpOutput output, HttpResponse response)
    {
        foreach ((string name, object? value) in output.Headers ?? [])
        {
            response.Headers[name] = value?.ToString() ?? "";
        }
        response.StatusCode = int.TryParse(output.StatusCode ?? output.Status, out int status) ? status : 200;
        await new StringOutputFormatter().WriteAsync(new OutputFormatterWriteContext(
            response.HttpContext, (stream, encoding) => new HttpResponseStreamWriter(stream, encoding), typeof(string),
            output.Body?.ToString() ?? "") { ContentType = response.ContentType });
    }
}
