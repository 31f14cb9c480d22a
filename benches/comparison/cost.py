"""CPU time for each request, as a table and as a plot: what the experiments over HTTP/1.1 and HTTP/2 have in common."""

import plot
from bench import WARM_UP_SECONDS, described
from proxies import HAPROXY
from summary import by_proxy, median, number, ratio, spread


def run(bench, peers, load):
    """What `load(proxy, seconds)` costs each of them, warmed up by it."""
    def measure(proxy):
        load(proxy, WARM_UP_SECONDS)
        return bench.metered(proxy, lambda: load(proxy, bench.settings.seconds))

    with bench.lineup(peers) as proxies:
        return bench.in_turn(proxies, measure, described)


def table(result):
    def row(name):
        low, high = spread(result, name, "cpu_us")
        return [f"{median(result, name, 'cpu_us'):.1f}", f"{low:.1f} - {high:.1f}", f"{ratio(result, name, HAPROXY, 'cpu_us'):.2f}",
                number(median(result, name, "requests_per_second")), f"{median(result, name, 'p50_ms'):.2f}",
                f"{median(result, name, 'p99_ms'):.2f}", f"{median(result, name, 'resident_mib'):.0f}"]

    headers = ["CPU µs / request", "min - max", "× HAProxy", "requests/s", "p50 ms", "p99 ms", "resident MiB"]
    return by_proxy(result, headers, row)


def bars(result, title):
    rows = [(what, name, halves(result, name)) for name, what in result["proxies"].items()]
    return plot.bars(title, "µs on one core, less is better", rows, ["its own code", "the kernel's"])


def halves(result, name):
    """The median, as its own code and the kernel share it."""
    total, user, system = (median(result, name, key) for key in ("cpu_us", "user_us", "system_us"))
    return [total * part / (user + system) for part in (user, system)]
