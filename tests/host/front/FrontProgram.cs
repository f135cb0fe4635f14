using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Leasehold.Front;

/// <summary>bin/devhost's command line and output in front of the host's own parts.</summary>
static class FrontProgram
{
    static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    public static async Task<int> RunAsync(string[] arguments)
    {
        var options = new ConfigurationBuilder().AddCommandLine(arguments).Build();
        Shape? shape = options["shape"] is { } name ? Enum.Parse<Shape>(name, ignoreCase: true) : null;
        AppFolder app = AppFolder.Read(options["app"] ?? ".", shape, options["handler"]);
        PassActivitiesOn();

        var ended = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var signals = new SignalWatch(() => ended.TrySetResult(0));
        using var client = new HttpClient(new HttpClientHandler { UseCookies = false, AllowAutoRedirect = false });
        client.Timeout = TimeSpan.FromMilliseconds(int.MaxValue);
        var handler = new Handler(app, client, () => ended.TrySetResult(1));
        handler.Start();
        await using WebApplication server = Front.Build(options.GetValue("port", 7071), out var forwarder);
        var front = new Front(app, handler, client, forwarder);
        server.Run(front.AnswerAsync);
        if (await Task.WhenAny(handler.WaitUntilReadyAsync(), ended.Task) != ended.Task)
        {
            await server.StartAsync();
            Announce(app, server.Services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>());
            front.StartTimers(default);
        }
        int exitCode = await ended.Task;
        handler.Stop(StopPatience);
        Console.Out.Flush();
        Environment.Exit(exitCode); // as the host does: whoever still waits for an answer is cut off
        return exitCode;
    }

    /// <summary>The host traces each request, so HttpClient makes a traceparent where the caller sent none.</summary>
    static void PassActivitiesOn() => ActivitySource.AddActivityListener(new ActivityListener
    {
        ShouldListenTo = source => source.Name == "Microsoft.AspNetCore",
        Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
    });

    static void Announce(AppFolder app, Microsoft.AspNetCore.Hosting.Server.IServer server)
    {
        string address = server.Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Console.Out.Write("\nFunctions:\n\n");
        foreach (Function function in app.Functions)
        {
            string what = function.Route == null
                              ? $"timerTrigger {function.Schedule}"
                              : $"[{string.Join(',', function.Methods).ToUpperInvariant()}] " +
                                    $"http://localhost:{new Uri(address).Port}/{function.Route}";
            Console.Out.Write($"\t{function.Name}: {what}\n\n");
        }
        Console.Out.Flush();
    }

    sealed class SignalWatch : IDisposable
    {
        readonly PosixSignalRegistration[] registrations;

        public SignalWatch(Action end) =>
            registrations = [.. ((PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP])
                                 .Select(signal => PosixSignalRegistration.Create(signal, context =>
                                 {
                                     context.Cancel = true;
                                     end();
                                 }))];

        public void Dispose() => Array.ForEach(registrations, registration => registration.Dispose());
    }
}
