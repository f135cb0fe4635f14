using System.Globalization;
using System.Text.RegularExpressions;
using Leasehold.Front;
using Newtonsoft.Json.Linq;

namespace Leasehold.Checks;

enum HostKind { Front, Devhost }

/// <summary>An app's folder of the check's own, and a host that serves it on a free port.</summary>
sealed partial class AppUnderTest : IDisposable
{
    readonly TempFolder folder = new();

    public RunningProgram Host { get; private set; } = null!;
    public int Port { get; private set; }
    public string Address => $"http://127.0.0.1:{Port}/";

    /// <summary>The handler that was ready last.</summary>
    public int HandlerId => int.Parse(ReadyHandler().Matches(Host.Output)[^1].Groups[1].Value, CultureInfo.InvariantCulture);

    /// <summary>The repository's own app on the storage given.</summary>
    public static Task<AppUnderTest> StartAsync(HostKind kind, Shape shape, string connectionString,
                                                params (string Name, string Value)[] settings) =>
        StartAsync(kind, shape, connectionString, mayServe: true, settings);

    /// <summary>The same; without `mayServe` its host is not waited for.</summary>
    public static Task<AppUnderTest> StartAsync(HostKind kind, Shape shape, string connectionString, bool mayServe,
                                                params (string Name, string Value)[] settings)
    {
        var app = new AppUnderTest();
        foreach (string name in Directory.GetDirectories(Paths.Root)
                     .Where(inner => File.Exists(Path.Combine(inner, "function.json"))).Select(Path.GetFileName)!)
        {
            File.CreateSymbolicLink(Path.Combine(app.folder.Path, name), Path.Combine(Paths.Root, name));
        }
        File.CreateSymbolicLink(Path.Combine(app.folder.Path, "bin"), Paths.Programs);
        File.Copy(Path.Combine(Paths.Root, "host.json"), Path.Combine(app.folder.Path, "host.json"));
        var values = new JObject
        {
            ["FUNCTIONS_WORKER_RUNTIME"] = "custom",
            ["DistributedLeasing:ConnectionString"] = connectionString,
            ["Inventory:SeedProducts"] = "PROD-001=1000000;PROD-002=50;PROD-003=200",
        };
        Array.ForEach(settings, setting => values[setting.Name] = setting.Value);
        app.Write("local.settings.json", new JObject { ["Values"] = values });
        return app.ServeAsync(kind, shape, mayServe);
    }

    /// <summary>An app whose handler is the probe, with the function.json files given by name.</summary>
    public static Task<AppUnderTest> StartProbeAsync(HostKind kind, Shape shape, Dictionary<string, JObject> functions)
    {
        var app = new AppUnderTest();
        app.Write("host.json", JObject.FromObject(new
        {
            version = "2.0",
            customHandler = new { description = new { defaultExecutablePath = "probe" } },
        }));
        foreach ((string name, JObject function) in functions)
        {
            Directory.CreateDirectory(Path.Combine(app.folder.Path, name));
            app.Write(Path.Combine(name, "function.json"), function);
        }
        string script = Path.Combine(app.folder.Path, "probe");
        File.WriteAllText(script, $"#!/bin/sh\nexec dotnet '{Paths.Self}' probe\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return app.ServeAsync(kind, shape);
    }

    public void Dispose()
    {
        Host?.Dispose();
        folder.Dispose();
    }

    void Write(string name, JObject content) => File.WriteAllText(Path.Combine(folder.Path, name), content.ToString());

    async Task<AppUnderTest> ServeAsync(HostKind kind, Shape shape, bool mayServe = true)
    {
        string[] options = ["--app", folder.Path, "--port", "0", "--shape", shape.ToString().ToLowerInvariant()];
        Host = kind == HostKind.Front
                   ? new RunningProgram("dotnet", [Paths.Self, "front", .. options])
                   : new RunningProgram(Path.Combine(Paths.Programs, "devhost"), options);
        if (!mayServe)
        {
            return this;
        }
        try
        {
            string rest = await Host.WaitForAsync("] http://localhost:");
            Port = int.Parse(rest[..rest.IndexOf('/')], CultureInfo.InvariantCulture);
            await Host.WaitForAsync("is ready");
            return this;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    [GeneratedRegex(@"The handler \(process (\d+)\) is ready")]
    private static partial Regex ReadyHandler();
}
