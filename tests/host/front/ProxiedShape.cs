using Yarp.ReverseProxy.Forwarder;

namespace Leasehold.Front;

/// <summary>The caller's own request, passed on by YARP with the host's retries (DefaultHttpProxyService).</summary>
sealed class ProxiedShape(IHttpForwarder forwarder, Handler handler)
{
    static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromSeconds(240) };

    readonly HttpMessageInvoker invoker = new(new RetryingHandler(
        new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }));

    public async Task InvokeAsync(HttpContext context, string invocationId)
    {
        context.Request.Headers["x-ms-invocation-id"] = invocationId;
        ForwarderError error = await forwarder.SendAsync(context, handler.Address, invoker, Config);
        if (error != ForwarderError.None && !context.RequestAborted.IsCancellationRequested)
        {
            throw new InvocationFailedException($"Failed to proxy the request: {error}",
                                                context.GetForwarderErrorFeature()?.Exception);
        }
    }

    /// <summary>
    /// Ten attempts, 50 ms to 250 ms apart (RetryProxyHandler). A body can be read once only, so a second attempt with
    /// one fails with another exception, and that is not tried again.
    /// </summary>
    sealed class RetryingHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        const int MaxAttempts = 10;
        const int FirstDelayMs = 50;
        const int MaxDelayMs = 250;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
        {
            for (int attempt = 1, delayMs = FirstDelayMs;; attempt++, delayMs = Math.Min(2 * delayMs, MaxDelayMs))
            {
                try
                {
                    return await base.SendAsync(request, cancel);
                }
                catch (HttpRequestException) when (attempt < MaxAttempts && !cancel.IsCancellationRequested)
                {
                    await Task.Delay(delayMs, cancel);
                }
            }
        }
    }
}

/// <summary>The caller gets a 500 without a body.</summary>
sealed class InvocationFailedException(string message, Exception? inner = null) : Exception(message, inner);
