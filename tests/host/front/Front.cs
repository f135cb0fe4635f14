using System.Diagnostics;
using Microsoft.AspNetCore.Routing.Template;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;
using Yarp.ReverseProxy.Forwarder;

namespace Leasehold.Front;

/// <summary>The app behind Kestrel: requests find their function, functions are invoked, timers fire.</summary>
sealed class Front
{
    const int MaxBodyBytes = 104_857_600;
    const string AdminPrefix = "/admin/functions/";

    readonly AppFolder app;
    readonly Handler handler;
    readonly ProxiedShape proxied;
    readonly ForwardedShape forwarded;
    readonly InvocationShape invocation;
    readonly (Function Function, TemplateMatcher Matcher)[] routes;
    readonly Dictionary<string, TimerLoop> timers = new(StringComparer.OrdinalIgnoreCase);

    public Front(AppFolder app, Handler handler, HttpClient client, IHttpForwarder forwarder)
    {
        (this.app, this.handler) = (app, handler);
        proxied = new ProxiedShape(forwarder, handler);
        forwarded = new ForwardedShape(client, handler);
        invocation = new InvocationShape(client, handler);
        routes = [.. app.Functions.Where(function => function.Route != null)
                      .Select(function => (function, new TemplateMatcher(TemplateParser.Parse(function.Route!), [])))];
        foreach (Function function in app.Functions.Where(function => function.Schedule != null))
        {
            if (Schedule.Parse(function.Schedule!) is { } schedule)
            {
                timers[function.Name] = new TimerLoop(function, schedule, InvokeTimerAsync);
            }
            else
            {
                Log.Write($"The '{function.Name}' function is in error: '{function.Schedule}' is no schedule.");
            }
        }
    }

    public static WebApplication Build(int port, out IHttpForwarder forwarder)
    {
        // Empty, so that app settings in the environment (Logging:LogLevel:...) configure the handler alone.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddHttpForwarder();
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.Limits.MaxRequestBodySize = MaxBodyBytes;
            options.Listen(System.Net.IPAddress.Loopback, port);
        });
        WebApplication server = builder.Build();
        forwarder = server.Services.GetRequiredService<IHttpForwarder>();
        return server;
    }

    public void StartTimers(CancellationToken cancel)
    {
        foreach (TimerLoop timer in timers.Values)
        {
            _ = timer.RunAsync(cancel);
        }
    }

    public async Task AnswerAsync(HttpContext context)
    {
        try
        {
            await RouteAsync(context);
        }
        catch (Exception failure) when (!context.RequestAborted.IsCancellationRequested)
        {
            Log.Write($"An invocation failed: {failure.Message} {failure.InnerException?.Message}");
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }
            context.Response.Clear();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    async Task RouteAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (request.Path.StartsWithSegments("/admin/functions", out PathString rest) && HttpMethods.IsPost(request.Method))
        {
            context.Response.StatusCode = await FireByHandAsync(rest.Value?.Trim('/') ?? "", request);
            return;
        }
        foreach ((Function function, TemplateMatcher matcher) in routes)
        {
            var values = new RouteValueDictionary();
            if (Allows(function, request.Method) && matcher.TryMatch(request.Path, values))
            {
                await InvokeHttpAsync(function, context, values);
                return;
            }
        }
        context.Response.StatusCode = StatusCodes.Status404NotFound;
    }

    static bool Allows(Function function, string method) =>
        function.Methods.Length == 0 || function.Methods.Contains(method, StringComparer.OrdinalIgnoreCase);

    async Task InvokeHttpAsync(Function function, HttpContext context, RouteValueDictionary route)
    {
        if (!await handler.WaitUntilReadyAsync())
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }
        string id = Guid.NewGuid().ToString();
        await InTimeAsync(app.Shape switch
        {
            Shape.Proxy => proxied.InvokeAsync(context, id),
            Shape.Forward => forwarded.InvokeAsync(context, id),
            _ => invocation.InvokeAsync(function, context, route, id),
        });
    }

    /// <summary>A function that outlasts functionTimeout fails, and its handler is killed.</summary>
    async Task InTimeAsync(Task call)
    {
        try
        {
            await call.WaitAsync(app.FunctionTimeout);
        }
        catch (TimeoutException) when (!call.IsCompleted)
        {
            handler.Restart();
            throw;
        }
    }

    async Task InvokeTimerAsync(Function function, JObject data)
    {
        string id = Guid.NewGuid().ToString();
        long started = Stopwatch.GetTimestamp();
        Log.Write($"Executing 'Functions.{function.Name}' (Reason='Timer fired at {DateTime.Now:o}', Id={id})");
        string outcome = "Succeeded";
        try
        {
            await handler.WaitUntilReadyAsync();
            await InTimeAsync(CallTimerAsync(function, data, id));
        }
        catch (Exception failure)
        {
            outcome = "Failed";
            Log.Write($"{failure.Message} {failure.InnerException?.Message}");
        }
        double ms = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        Log.Write($"Executed 'Functions.{function.Name}' ({outcome}, Id={id}, Duration={ms:0}ms)");
    }

    async Task CallTimerAsync(Function function, JObject data, string id)
    {
        if (await invocation.CallAsync(function, data, [], id) == null)
        {
            await Task.Delay(Timeout.Infinite); // an empty or null answer hangs until functionTimeout
        }
    }

    /// <summary>POST /admin/functions/NAME with a JSON body fires a timer at once. Returns the status.</summary>
    async Task<int> FireByHandAsync(string name, HttpRequest request)
    {
        Function? function = app.Functions.FirstOrDefault(
            other => other.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (function == null)
        {
            return StatusCodes.Status404NotFound;
        }
        using var reader = new StreamReader(request.Body);
        if (!IsJsonObject(await reader.ReadToEndAsync()))
        {
            return StatusCodes.Status400BadRequest;
        }
        if (timers.TryGetValue(function.Name, out TimerLoop? timer))
        {
            _ = InvokeTimerAsync(function, new JObject { [function.Trigger] = timer.Input() });
        }
        return StatusCodes.Status202Accepted;
    }

    static bool IsJsonObject(string text)
    {
        try
        {
            JObject.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
