"""From measurements to a table of ratios: Markdown, for a terminal and for docs/performance.md."""

import statistics

LEGEND = ("CPU, storage requests and context switches are those of one answer. Busy: how many processors the handler, storage and "
          "the callers used. First answer: from exec.")
# column, figure, whether more is better, heading
COLUMNS = (
    ("throughput", "throughput", True, "throughput"),
    ("cpu", "cpu_us", False, "CPU an answer"),
    ("p50", "p50_ms", False, "p50"),
    ("p99", "p99_ms", False, "p99"),
    ("memory", "peak_kb", False, "peak memory"),
    ("idle_memory", "idle_kb", False, "idle memory"),
    ("first_answer", "first_answer_ms", False, "first answer"),
)
# Ratios that say nothing in a scenario, where its aims do not ask for them.
ALWAYS = ("throughput", "cpu", "p50", "p99", "memory")


def by_contender(runs, scenario):
    """{contender: [figures of each round]} of the rounds in which all could be measured."""
    found = {}
    for run in runs:
        if run["scenario"] == scenario.name and "error" not in run:
            found.setdefault(run["contender"], {})[run["round"]] = run
    return found


def ratios(runs, scenario, contender, against, figure):
    """Of the rounds that both have."""
    found = by_contender(runs, scenario)
    mine, others = found.get(contender, {}), found.get(against, {})
    return [mine[r][figure] / others[r][figure] for r in sorted(mine) if r in others and others[r][figure]]


def spread(values, digits=2):
    if not values:
        return "-"
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def is_met(column, aim, value):
    is_more_better = next(c[2] for c in COLUMNS if c[0] == column)
    return value >= aim if is_more_better else value <= aim


def disqualified(runs, scenario, contender):
    """Why it is out of the race; empty where it is not."""
    reasons = []
    for run in runs:
        if run["scenario"] == scenario.name and run["contender"] == contender:
            reasons += [run["error"]] if "error" in run else run["faults"]
    return reasons


def _row(runs, scenario, contender, against):
    reasons = disqualified(runs, scenario, contender)
    if reasons:
        return f"| {scenario.title} | {contender} | disqualified: {reasons[0]} |" + " |" * (len(ALWAYS) + 3)
    cells = []
    shown = ALWAYS if not set(scenario.aims) & {"first_answer"} else ()
    for column, figure, _, _ in COLUMNS:
        values = ratios(runs, scenario, contender, against, figure)
        is_shown = values and (column in shown or column in scenario.aims)
        cell = spread(values) if is_shown else ""
        if is_shown and contender == "ours" and column in scenario.aims:
            aim = scenario.aims[column]
            cell = cell if is_met(column, aim, statistics.median(values)) else f"**{cell}**"
        cells.append(cell)
    limit = ""
    if scenario.limit:
        shares = [run["throughput"] / scenario.limit for run in by_contender(runs, scenario)[contender].values()]
        limit = spread(shares)
        if contender == "ours" and statistics.median(shares) < scenario.limit_aim:
            limit = f"**{limit}**"
    return f"| {scenario.title} | {contender} | " + " | ".join(cells + [limit]) + " |"


def ratio_table(runs, scenarios, contenders, against):
    """Each contender against one of them."""
    lines = [f"| | {against} is 1 | " + " | ".join(c[3] for c in COLUMNS) + " | share of the limit |",
             "| --- | --- |" + " --- |" * (len(COLUMNS) + 1)]
    for scenario in scenarios:
        for contender in contenders:
            if contender != against or scenario.limit:
                if by_contender(runs, scenario).get(contender) or disqualified(runs, scenario, contender):
                    lines.append(_row(runs, scenario, contender, against))
    return "\n".join(lines)


def _median(runs, scenario, contender, figure):
    return statistics.median(run[figure] for run in by_contender(runs, scenario)[contender].values())


def figure_table(runs, scenarios, contenders):
    """What was measured, in its units."""
    lines = ["| | | answers a second | CPU, µs | p50, ms | p99, ms | longest, ms | peak, MB | idle, MB | first answer, ms | "
             "requests | switches | not 200 | busy |",
             "| --- | --- |" + " --- |" * 12]
    for scenario in scenarios:
        for contender in contenders:
            rounds = by_contender(runs, scenario).get(contender)
            if not rounds:
                continue
            def median(figure, scenario=scenario, contender=contender):
                return _median(runs, scenario, contender, figure)
            lines.append(
                f"| {scenario.title} | {contender} | {median('throughput'):,.0f} | {median('cpu_us'):,.0f} | "
                f"{median('p50_ms'):.2f} | {median('p99_ms'):.2f} | {median('max_ms'):.0f} | "
                f"{median('peak_kb') / 1024:.1f} | {median('idle_kb') / 1024:.1f} | {median('first_answer_ms'):.1f} | "
                f"{median('requests'):.3f} | {median('switches'):.2f} | "
                f"{sum(r['refused'] + r['failed'] for r in rounds.values())} | "
                f"{median('handler_busy'):.2f}, {median('storage_busy'):.2f}, {median('load_busy'):.2f} |")
    return "\n".join(lines)


def align(table):
    """The same table with columns of one width, for a terminal. A scenario's name stands in its first row alone."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")]
    widths = [max(len(row[i]) for row in rows if "---" not in row) for i in range(len(rows[0]))]
    lines, above = [], None
    for row in rows:
        title = "" if row[0] == above else row[0]
        above = row[0]
        cells = ["-" * width for width in widths] if "---" in row else [title] + row[1:]
        lines.append("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(cells, widths))).rstrip())
    return "\n".join(lines)


def fairness(runs, scenarios, contenders):
    """Shares and longest waits where several instances compete."""
    lines = []
    for scenario in scenarios:
        for contender in contenders:
            rounds = by_contender(runs, scenario).get(contender)
            if scenario.instances > 1 and rounds:
                shares = [share for r in rounds.values() for share in r["shares"]]
                longest = max(wait for r in rounds.values() for wait in r["longest_ms"])
                lines.append(f"{scenario.title}: {contender}: shares of {min(shares):.0%} to {max(shares):.0%}, "
                             f"longest wait {longest / 1000:.1f} s")
    return "\n".join(lines)


def _of_base(runs, scenario, chosen, column):
    """Ratios of ours to ours in the scenario that it is held against, round by round."""
    base = next((s for s in chosen if s.name == scenario.base), None)
    if base is None:
        return []
    figure = next(c[1] for c in COLUMNS if c[0] == column)
    mine, others = (by_contender(runs, s).get("ours", {}) for s in (scenario, base))
    return [mine[r][figure] / others[r][figure] for r in sorted(mine) if r in others and others[r][figure]]


def against_base(runs, scenarios):
    """One line for each scenario of ours that is held against another."""
    lines = []
    for scenario in scenarios:
        for column, aim in scenario.of_base.items():
            values = _of_base(runs, scenario, scenarios, column)
            if values:
                lines.append(f"{scenario.title}: {column} {spread(values)} of that in `{scenario.base}`; the aim is {aim}")
    return "\n".join(lines)


def misses(runs, scenarios, against):
    """Where ours is behind its aims, one line each."""
    found = []
    for scenario in scenarios:
        rounds = by_contender(runs, scenario).get("ours")
        if not rounds:
            continue
        for column, figure, _, heading in COLUMNS:
            values = ratios(runs, scenario, "ours", against, figure) if against != "ours" else []
            if column in scenario.aims and values and not is_met(column, scenario.aims[column],
                                                                 statistics.median(values)):
                found.append(f"{scenario.title}: {heading} {statistics.median(values):.2f} of {against}'s; the aim is "
                             f"{scenario.aims[column]}")
        for figure, (most, heading) in scenario.most.items():
            value = _median(runs, scenario, "ours", figure)
            if value > most:
                found.append(f"{scenario.title}: {value:.3g} {heading} an answer; the aim is at most {most}")
        for column, aim in scenario.of_base.items():
            values = _of_base(runs, scenario, scenarios, column)
            if values and not is_met(column, aim, statistics.median(values)):
                found.append(f"{scenario.title}: {column} {statistics.median(values):.2f} of that in `{scenario.base}`; "
                             f"the aim is {aim}")
        if scenario.limit:
            share = statistics.median(run["throughput"] / scenario.limit for run in rounds.values())
            if share < scenario.limit_aim:
                found.append(f"{scenario.title}: {share:.2f} of what the round trip allows; the aim is "
                             f"{scenario.limit_aim}")
        if scenario.instances > 1:
            shares = [share for r in rounds.values() for share in r["shares"]]
            longest_s = max(wait for r in rounds.values() for wait in r["longest_ms"]) / 1000
            if min(shares) < 0.2 or max(shares) > 0.5 or longest_s >= 2:
                found.append(f"{scenario.title}: shares of {min(shares):.0%} to {max(shares):.0%} and a longest wait of "
                             f"{longest_s:.1f} s; the aim is 20 to 50 %, and under 2 s")
    return found
