using System.Globalization;
using NCrontab;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Leasehold.Front;

/// <summary>When a timer fires: an expression of NCrontab's with five or six fields, or a TimeSpan (TimerSchedule).</summary>
sealed class Schedule
{
    readonly CrontabSchedule? cron;
    readonly TimeSpan period;

    Schedule(CrontabSchedule? cron, TimeSpan period) => (this.cron, this.period) = (cron, period);

    /// <summary>Returns null for a text that is no schedule: the host then disables the function.</summary>
    public static Schedule? Parse(string text)
    {
        CrontabSchedule? cron = ParseCron(text);
        return cron != null ? new Schedule(cron, default)
               : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan period) ? new Schedule(null, period)
                                                                                            : null;
    }

    static CrontabSchedule? ParseCron(string text)
    {
        bool hasSeconds = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length != 5;
        try
        {
            return CrontabSchedule.TryParse(text, new CrontabSchedule.ParseOptions { IncludingSeconds = hasSeconds });
        }
        catch (OverflowException)
        {
            return null; // a number that no int can hold
        }
    }

    public DateTime Next(DateTime from) => cron?.GetNextOccurrence(from) ?? from + period;

    /// <summary>Whether it fires more often than once a minute: then the handler is told no ScheduleStatus.</summary>
    public bool IsFrequent(DateTime now)
    {
        if (cron == null)
        {
            return period < TimeSpan.FromMinutes(1);
        }
        return cron.ToString().Split(' ').Skip(1).All(field => field == "*") &&
               cron.GetNextOccurrences(now, now.AddMinutes(1)).Count() > 1;
    }
}

/// <summary>As the handler gets it, with local times and their offset.</summary>
sealed record ScheduleStatus(DateTime Last, DateTime Next, DateTime LastUpdated);

/// <summary>Fires one timer function by its schedule (TimerListener).</summary>
sealed class TimerLoop(Function function, Schedule schedule, Func<Function, JObject, Task> invoke)
{
    static readonly TimeSpan MaxDelay = TimeSpan.FromDays(24);

    readonly bool isFrequent = schedule.IsFrequent(DateTime.Now);
    ScheduleStatus status = new(DateTime.MinValue.ToLocalTime(), schedule.Next(DateTime.Now), DateTime.MinValue.ToLocalTime());

    public async Task RunAsync(CancellationToken cancel)
    {
        if (function.RunOnStartup)
        {
            await FireAsync();
        }
        while (true)
        {
            TimeSpan left = status.Next - DateTime.Now;
            if (left > TimeSpan.Zero)
            {
                await Task.Delay(left < MaxDelay ? left + TimeSpan.FromMilliseconds(1) : MaxDelay, cancel);
                continue;
            }
            await FireAsync();
        }
    }

    /// <summary>The input of an invocation by hand, which leaves the schedule as it is.</summary>
    public JObject Input() => JObject.FromObject(new
    {
        Schedule = new { AdjustForDST = true },
        ScheduleStatus = isFrequent ? null : status,
        IsPastDue = false,
    });

    async Task FireAsync()
    {
        DateTime fired = DateTime.Now;
        await invoke(function, new JObject { [function.Trigger] = Input() });
        DateTime last = status.Next > fired ? status.Next : fired;
        status = new ScheduleStatus(last, schedule.Next(last), last);
    }
}
