using System.Diagnostics;
using System.Text;

namespace Leasehold.Checks;

/// <summary>A program under test, with all that it printed.</summary>
sealed class RunningProgram : IDisposable
{
    readonly StringBuilder output = new();
    readonly Process process;

    public RunningProgram(string file, IEnumerable<string> arguments, string? folder = null)
    {
        var info = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = folder ?? "",
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        process = new Process { StartInfo = info };
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Id => process.Id;
    public bool HasExited => process.HasExited;

    public string Output
    {
        get
        {
            lock (output)
            {
                return output.ToString();
            }
        }
    }

    /// <summary>Waits for `text` in the output; returns what follows it.</summary>
    public async Task<string> WaitForAsync(string text, int fromLength = 0)
    {
        long started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < Patience.Long)
        {
            string soFar = Output;
            int at = soFar.IndexOf(text, Math.Min(fromLength, soFar.Length), StringComparison.Ordinal);
            if (at >= 0 && soFar.IndexOf('\n', at) >= 0)
            {
                return soFar[(at + text.Length)..];
            }
            Expect.True(!process.HasExited || Output != soFar || at >= 0, $"it ended without '{text}':\n{soFar}");
            await Task.Delay(20);
        }
        throw new CheckFailedException($"'{text}' does not come:\n{Output}");
    }

    /// <summary>Waits until it has ended by itself; returns all that it printed.</summary>
    public string WaitForEnd()
    {
        Expect.True(process.WaitForExit(Patience.Long), $"it does not end:\n{Output}");
        process.WaitForExit(); // for the rest of its output
        return Output;
    }

    public void Stop()
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
    }

    public void Dispose()
    {
        Stop();
        process.Dispose();
    }

    void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data != null)
        {
            lock (output)
            {
                output.Append(line.Data).Append('\n');
            }
        }
    }
}

static class Signals
{
    public const int Kill = 9;
    public const int Terminate = 15;
}

static class Patience
{
    public static readonly TimeSpan Long = TimeSpan.FromSeconds(60);
}

/// <summary>Azurite in memory, on ports of its own.</summary>
sealed class Azurite : IDisposable
{
    const string Account = "devstoreaccount1";
    const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    readonly TempFolder folder = new();
    readonly RunningProgram program;

    public string ConnectionString { get; private set; } = "";

    Azurite() => program = new RunningProgram(
        Paths.Azurite,
        ["--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence", "--queuePort", "0", "--blobPort", "0",
         "--tablePort", "0"],
        folder.Path);

    public static async Task<Azurite> StartAsync()
    {
        var azurite = new Azurite();
        string blob = await azurite.AddressAsync("Blob");
        string table = await azurite.AddressAsync("Table");
        azurite.ConnectionString = $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};" +
                                   $"BlobEndpoint={blob}/{Account};TableEndpoint={table}/{Account}";
        return azurite;
    }

    public void Stop() => program.Stop();

    public void Dispose()
    {
        program.Dispose();
        folder.Dispose();
    }

    async Task<string> AddressAsync(string service)
    {
        string rest = await program.WaitForAsync($"Azurite {service} service is successfully listening at ");
        return rest[..rest.IndexOf('\n')].Trim();
    }
}

sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("leasehold-host-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Where things are; tools/test-host.sh sets the environment.</summary>
static class Paths
{
    public static string Root => Required("LEASEHOLD_ROOT");
    public static string Programs => Required("LEASEHOLD_BIN");
    public static string Azurite => Required("LEASEHOLD_AZURITE");
    public static string Self => System.IO.Path.Combine(AppContext.BaseDirectory, "host.dll");

    static string Required(string name) =>
        Environment.GetEnvironmentVariable(name) ??
        throw new CheckFailedException($"{name} is not set: run this with make test-host");
}
