using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Leasehold.Front;

/// <summary>
/// The handler's process: started, watched and restarted as the host does it (HttpWorkerProcess, WorkerProcess,
/// HttpFunctionInvocationDispatcher). All processes of one app use the same port.
/// </summary>
sealed class Handler(AppFolder app, HttpClient client, Action stopApp)
{
    const int MaxFailures = 3; // at the third the app stops
    static readonly TimeSpan FailuresCountFor = TimeSpan.FromMinutes(30);
    static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);
    static readonly TimeSpan HoldTimeout = TimeSpan.FromSeconds(120);
    static readonly TimeSpan TellInterval = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(25);

    readonly Lock gate = new();
    Process? current;
    TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int failures;
    DateTime lastFailure;
    bool stopping;

    public int Port { get; } = FreePort();
    public string Address => $"http://127.0.0.1:{Port}/";

    public void Start()
    {
        lock (gate)
        {
            current = Launch();
            _ = AwaitFirstAnswerAsync(current);
        }
    }

    /// <summary>Waits for a handler that answers. Returns false after 120 s.</summary>
    public async Task<bool> WaitUntilReadyAsync()
    {
        Task waited;
        lock (gate)
        {
            waited = ready.Task;
        }
        return await Task.WhenAny(waited, Task.Delay(HoldTimeout)) == waited;
    }

    /// <summary>Kills the handler and starts another one, uncounted: a function has timed out.</summary>
    public void Restart()
    {
        lock (gate)
        {
            Log.Write("A function timed out. The handler is killed and started again.");
            Replace();
        }
    }

    /// <summary>Ends the handler as the platform does: SIGTERM, some time, SIGKILL. Returns when it has gone.</summary>
    public void Stop(TimeSpan patience)
    {
        Process? last;
        lock (gate)
        {
            stopping = true;
            last = current;
        }
        if (last == null || last.HasExited)
        {
            return;
        }
        // A handler that stays until its host has gone ends when it is told a second time.
        long started = Stopwatch.GetTimestamp();
        do
        {
            _ = kill(last.Id, SigTerm);
        } while (!last.WaitForExit(TellInterval) && Stopwatch.GetElapsedTime(started) < patience);
        last.Kill();
        last.WaitForExit();
        Log.Write($"The handler exited with code {last.ExitCode}.");
    }

    Process Launch()
    {
        var process = new Process { StartInfo = StartInfo(), EnableRaisingEvents = true };
        process.OutputDataReceived += (_, line) => Show(line.Data);
        process.ErrorDataReceived += (_, line) => Show(line.Data);
        process.Exited += (_, _) => OnExited(process);
        process.Start();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        return process;
    }

    ProcessStartInfo StartInfo()
    {
        var info = new ProcessStartInfo(app.Executable, app.Arguments)
        {
            WorkingDirectory = app.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string workerId = Guid.NewGuid().ToString();
        foreach (string prefix in (string[])["FUNCTIONS_CUSTOMHANDLER", "FUNCTIONS_HTTPWORKER"])
        {
            info.Environment[$"{prefix}_PORT"] = Port.ToString();
        }
        info.Environment["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"] = workerId;
        info.Environment["FUNCTIONS_HTTPWORKER_ID"] = workerId;
        info.Environment["FUNCTIONS_APP_ROOT_PATH"] = app.Path;
        return info;
    }

    static void Show(string? line)
    {
        if (line != null)
        {
            Log.Write(line);
        }
    }

    /// <summary>Any answer at all to GET / makes the handler ready.</summary>
    async Task AwaitFirstAnswerAsync(Process process)
    {
        long started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < StartTimeout)
        {
            if (await AnswersAsync())
            {
                lock (gate)
                {
                    if (process == current)
                    {
                        Log.Write($"The handler (process {process.Id}) is ready.");
                        ready.TrySetResult();
                    }
                }
                return;
            }
            await Task.Delay(PollInterval);
        }
        OnFailed(process, "did not answer within 30 s");
    }

    async Task<bool> AnswersAsync()
    {
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(Address);
            return true;
        }
        catch (HttpRequestException failure)
        {
            return failure.InnerException is not SocketException;
        }
    }

    void OnExited(Process process)
    {
        int code = process.ExitCode;
        if (code != 0)
        {
            OnFailed(process, $"exited with code {code}");
            return;
        }
        lock (gate)
        {
            if (!stopping && process == current)
            {
                Log.Write("The handler exited with code 0. Starting it again.");
                Replace();
            }
        }
    }

    void OnFailed(Process process, string why)
    {
        lock (gate)
        {
            if (stopping || process != current)
            {
                return;
            }
            DateTime now = DateTime.UtcNow;
            failures = now - lastFailure > FailuresCountFor ? 1 : failures + 1;
            lastFailure = now;
            Log.Write($"The handler {why} ({failures} of {MaxFailures}).");
            if (failures < MaxFailures)
            {
                Replace();
                return;
            }
            stopping = true;
        }
        Log.Write("The handler has failed too often. The host stops.");
        stopApp();
    }

    /// <summary>The old process is killed and thrown away with what is left in its pipes, as the host does it.</summary>
    void Replace()
    {
        ready = ready.Task.IsCompleted ? new(TaskCreationOptions.RunContinuationsAsynchronously) : ready;
        Process old = current!;
        current = null;
        if (!old.HasExited)
        {
            old.Kill();
            old.WaitForExit();
        }
        old.Dispose();
        current = Launch();
        _ = AwaitFirstAnswerAsync(current);
    }

    /// <summary>A port that was free a moment ago.</summary>
    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    const int SigTerm = 15;

    [DllImport("libc")]
    static extern int kill(int process, int signal);
}
