using System.Globalization;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Leasehold.Front;

/// <summary>How an HTTP request reaches the handler.</summary>
enum Shape { Proxy, Forward, Invocation }

/// <summary>A folder with a function.json. One of Route and Schedule is null.</summary>
sealed record Function(string Name, string Trigger, string? Output, string? Route, string[] Methods, string? Schedule,
                       bool RunOnStartup);

/// <summary>What an app's folder says: host.json, local.settings.json and every function.json.</summary>
sealed class AppFolder
{
    const string HostSettings = "AzureFunctionsJobHost";

    public required string Path { get; init; }
    public required string Executable { get; init; }
    public required string[] Arguments { get; init; }
    public required Shape Shape { get; init; }
    public required TimeSpan FunctionTimeout { get; init; }
    public required Function[] Functions { get; init; }

    /// <summary>Reads the folder. The app settings go into this process's environment, as Core Tools puts them there.</summary>
    public static AppFolder Read(string folder, Shape? shape, string? handler)
    {
        string path = System.IO.Path.GetFullPath(folder);
        ReadSettings(System.IO.Path.Combine(path, "local.settings.json"));
        IConfiguration host = new ConfigurationBuilder()
            .AddJsonFile(System.IO.Path.Combine(path, "host.json"))
            .AddInMemoryCollection(HostOverrides())
            .Build();
        IConfigurationSection custom = host.GetSection("customHandler");
        string executable = handler ?? custom["description:defaultExecutablePath"] ??
                            throw new InvalidDataException("host.json names no defaultExecutablePath");
        return new AppFolder
        {
            Path = path,
            Executable = System.IO.Path.GetFullPath(executable, handler == null ? path : Environment.CurrentDirectory),
            Arguments = custom.GetSection("description:arguments").Get<string[]>() ?? [],
            Shape = shape ?? (custom.GetValue<bool>("enableProxyingHttpRequest") ? Shape.Proxy
                              : custom.GetValue<bool>("enableForwardingHttpRequest") ? Shape.Forward
                                                                                     : Shape.Invocation),
            FunctionTimeout = Timeout(host["functionTimeout"]),
            Functions = ReadFunctions(path, host["extensions:http:routePrefix"] ?? "api"),
        };
    }

    static TimeSpan Timeout(string? text) =>
        text == null ? TimeSpan.FromMinutes(30)
        : text == "-1" ? System.Threading.Timeout.InfiniteTimeSpan
                       : TimeSpan.Parse(text, CultureInfo.InvariantCulture);

    static void ReadSettings(string file)
    {
        if (!File.Exists(file))
        {
            return;
        }
        JToken? values = JObject.Parse(File.ReadAllText(file))["Values"];
        foreach ((string name, string value) in values?.ToObject<Dictionary<string, string>>() ?? [])
        {
            if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name)))
            {
                Environment.SetEnvironmentVariable(name, value);
            }
        }
    }

    /// <summary>AzureFunctionsJobHost__extensions__http__routePrefix and the like stand above host.json.</summary>
    static IEnumerable<KeyValuePair<string, string?>> HostOverrides() =>
        new ConfigurationBuilder().AddEnvironmentVariables().Build().GetSection(HostSettings)
            .AsEnumerable(makePathsRelative: true).Where(setting => setting.Value != null);

    static Function[] ReadFunctions(string folder, string prefix) =>
        [.. Directory.GetDirectories(folder).Order(StringComparer.Ordinal)
            .Where(inner => File.Exists(System.IO.Path.Combine(inner, "function.json")))
            .Select(inner => ReadFunction(inner, prefix)).OfType<Function>()];

    /// <summary>Returns null for a disabled function.</summary>
    static Function? ReadFunction(string folder, string prefix)
    {
        string name = System.IO.Path.GetFileName(folder);
        JObject file = JObject.Parse(File.ReadAllText(System.IO.Path.Combine(folder, "function.json")));
        JToken[] bindings = [.. file["bindings"]!];
        JToken trigger = bindings.First(binding => TypeOf(binding).EndsWith("Trigger", StringComparison.OrdinalIgnoreCase));
        if (IsTrue((string?)file["disabled"]) || IsTrue(Environment.GetEnvironmentVariable($"AzureWebJobs.{name}.Disabled")))
        {
            return null;
        }
        string? route = (string?)trigger["route"];
        string own = (string.IsNullOrEmpty(route) ? name : route).TrimStart('/');
        bool isHttp = TypeOf(trigger).Equals("httpTrigger", StringComparison.OrdinalIgnoreCase);
        return new Function(
            name, (string)trigger["name"]!,
            (string?)bindings.FirstOrDefault(binding => TypeOf(binding) == "http")?["name"],
            isHttp ? (prefix.Length > 0 ? $"{prefix}/{own}" : own) : null,
            trigger["methods"]?.ToObject<string[]>() ?? [],
            isHttp ? null : ExpandNames((string)trigger["schedule"]!),
            (bool?)trigger["runOnStartup"] ?? false);
    }

    static string TypeOf(JToken binding) => (string?)binding["type"] ?? "";

    static bool IsTrue(string? text) =>
        text != null && (text == "1" || text.Equals("true", StringComparison.OrdinalIgnoreCase));

    /// <summary>A schedule that is wholly %NAME% is what the app setting NAME holds.</summary>
    static string ExpandNames(string text) =>
        text.Length > 2 && text[0] == '%' && text[^1] == '%'
            ? Environment.GetEnvironmentVariable(text[1..^1]) ?? text
            : text;
}
