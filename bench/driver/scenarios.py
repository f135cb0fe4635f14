"""What is measured: the scenarios, and what each aims at."""

from dataclasses import dataclass, field, replace

# A ratio to Go: throughput should be at least, all others at most so much.
FAST = {"throughput": 1.3, "cpu": 0.7, "p99": 1.0, "memory": 1.0}
SLOW = {"throughput": 1.2, "cpu": 0.7, "p99": 1.0, "memory": 1.0}
ROUND_TRIP_S = 0.010
# A figure should be at most so much, whatever Go's is.
FEW_REQUESTS = {"requests": (0.03, "storage requests")}
FEW_SWITCHES = {"requests": (2.9, "storage requests"), "switches": (3, "context switches")}


@dataclass(frozen=True)
class Scenario:
    """One load on one kind of stock. `limit`: answers a second that waiting callers and the round trip allow at most."""

    name: str
    title: str
    clients: int = 64
    products: int = 1
    instances: int = 1
    think_ms: int = 0
    delay_us: int = 0
    reads: bool = False
    query: str = ""  # of reads
    confirm_percent: int = 0  # of the calls; the rest reserves
    release_percent: int = 0
    ours_only: bool = False  # the other programs cannot do it
    touch: bool = False  # each product is reserved once before the measured time
    first: int = 0  # units reserved before the measured time
    lifetime_s: int = 0  # of reservations; 0: the default, which outlasts every run
    warm_ms: int = 1000
    run_ms: int = 4000
    starts: int = 1  # how often the contender is started and ended before, to time its first answer
    seeded_by_storage: bool = False  # by the fake storage itself: too many for an app setting
    aims: dict = field(default_factory=dict)
    most: dict = field(default_factory=dict)
    base: str = ""  # the name of a scenario of the same run, against which `of_base` is held
    of_base: dict = field(default_factory=dict)  # aims: figure -> ratio
    limit: float = 0
    limit_aim: float = 0
    group: str = ""  # the sweep that it is a point of
    point: int = 0


def _sweep(group, title, points, base, **changed):
    """One scenario for each point. `changed` maps a field to a function of the point."""
    return [
        replace(base, name=f"{group}-{point}", title=title.format(f"{point:,}"), group=group, point=point, aims={}, most={},
                **{name: value(point) for name, value in changed.items()})
        for point in points
    ]


_HOT = Scenario("hot", "one product, 64 clients", aims=FAST, most=FEW_REQUESTS)
_SPREAD = Scenario("spread", "1,000 products, 64 clients", products=1000, touch=True, aims=FAST,
                   most=FEW_SWITCHES)
_DELAY_US = int(ROUND_TRIP_S * 1e6)

TABLE = [
    _HOT,
    _SPREAD,
    replace(_HOT, name="hot-slow", title="one product, 64 clients, +10 ms", delay_us=_DELAY_US, aims=SLOW,
            limit=64 / ROUND_TRIP_S, limit_aim=0.7),
    replace(_SPREAD, name="spread-slow", title="1,000 products, 64 clients, +10 ms", delay_us=_DELAY_US, aims=SLOW,
            limit=64 / (2 * ROUND_TRIP_S), limit_aim=0.9),
    replace(_HOT, name="hot-256", title="one product, 256 clients", clients=256),
    Scenario("idle", "one client that pauses for 20 ms", clients=1, think_ms=20,
             aims={"p50": 0.9, "cpu": 0.6, "p99": 1.0}),
    Scenario("single", "one client without pauses", clients=1),
    Scenario("get", "GET of 100 products, 64 clients", products=100, touch=True, reads=True),
    Scenario("none-of-0", "GET ?reservations=none, no reservations", clients=1, reads=True, query="?reservations=none",
             ours_only=True, most={"requests": (1, "storage requests")}),
    Scenario("none-of-10000", "GET ?reservations=none, 10,000 reservations", clients=1, reads=True, first=10000,
             query="?reservations=none", ours_only=True, most={"requests": (1, "storage requests")}, base="none-of-0",
             of_base={"p50": 1.2}),
    Scenario("mix", "70 % reserve, 20 % confirm, 10 % release, 64 clients", confirm_percent=20, release_percent=10,
             ours_only=True, most={"requests": (0.1, "storage requests")}, base="hot", of_base={"throughput": 0.9}),
    Scenario("three", "three instances, one product, 64 clients", instances=3, warm_ms=2000, run_ms=8000),
    Scenario("expiring", "reservations that expire after 2 s", lifetime_s=2, warm_ms=4000, run_ms=6000),
    Scenario("start", "exec to first answer", clients=1, think_ms=20, starts=10, warm_ms=100, run_ms=500,
             aims={"first_answer": 1.0, "idle_memory": 1.0}),
]

SWEEPS = (
    _sweep("clients", "one product, {} clients", (1, 4, 16, 64, 256), _HOT, clients=lambda n: n)
    + _sweep("reservations", "one product with {} reservations, 64 clients", (10, 100, 1000, 10000, 100000), _HOT,
             first=lambda n: n)
    + _sweep("products", "{} products, 64 clients", (10, 100, 1000, 10000, 100000), _SPREAD, products=lambda n: n,
             touch=lambda n: n <= 1000, seeded_by_storage=lambda n: True)
)

ALL = TABLE + SWEEPS


def select(words):
    """The scenarios of these names or groups; "table", "sweeps" and "all" stand for many."""
    many = {"table": TABLE, "sweeps": SWEEPS, "all": ALL}
    chosen = []
    for word in words:
        found = many.get(word) or [s for s in ALL if word in (s.name, s.group)]
        if not found:
            names = sorted({s.group or s.name for s in ALL})
            raise SystemExit(f"bench: no scenario {word}: table, sweeps, all, {', '.join(names)}")
        chosen += [s for s in found if s not in chosen]
    return chosen
