"""Bodies of 1 MiB: how many bytes a second of CPU time moves."""

import delivery
import load
import plot
from bench import WARM_UP_SECONDS
from proxies import HAPROXY, NGINX
from summary import at_least, by_proxy, median, ratio, spread
from visit import LARGE_BODY

NAME = "bodies"
TITLE = "bodies of 1 MiB"
PEERS = [HAPROXY, NGINX]
CONNECTIONS = 16
GIB = 1024 ** 3


def seconds(settings, firewalls):
    return 2 + settings.rounds * (len(PEERS) + firewalls) * (WARM_UP_SECONDS + settings.seconds + 0.2)


def run(bench):
    def wrk(proxy, seconds):
        return load.wrk(proxy, bench.visit, bench.load_cpus, seconds, CONNECTIONS, path="/large")

    def measure(proxy):
        wrk(proxy, WARM_UP_SECONDS)
        measured = bench.metered(proxy, lambda: wrk(proxy, bench.settings.seconds))
        return measured | {"gib_per_cpu_second": measured["per_cpu_second"] * LARGE_BODY / GIB}

    with bench.lineup(PEERS) as proxies:
        for proxy in proxies:
            delivery.check_large(proxy, bench.visit)
        return bench.in_turn(proxies, measure, described)


def described(measured):
    return (f"{measured['gib_per_cpu_second']:7.2f} GiB/CPU second {measured['requests_per_second']:7.0f} MiB/s  "
            f"busy {measured['busy']:4.0%}, others {measured['others_busy']:4.1%}")


def report(result):
    def row(name):
        low, high = spread(result, name, "gib_per_cpu_second")
        return [f"{median(result, name, 'gib_per_cpu_second'):.2f}", f"{low:.2f} - {high:.2f}",
                f"{ratio(result, name, HAPROXY, 'gib_per_cpu_second'):.2f}",
                f"{median(result, name, 'requests_per_second') * LARGE_BODY / GIB:.2f}",
                f"{median(result, name, 'resident_mib'):.0f}"]

    return by_proxy(result, ["GiB / CPU second", "min - max", "× HAProxy", "GiB/s", "resident MiB"], row)


def plots(result):
    rows = [(what, name, [median(result, name, "gib_per_cpu_second")]) for name, what in result["proxies"].items()]
    title = "Bytes moved in each CPU second, bodies of 1 MiB"
    return {"bodies.svg": plot.bars(title, "GiB, more is better", rows, form="{:.2f}")}


def targets(result):
    return [at_least(result, "1 MiB bodies, bytes per CPU second", 0.9, HAPROXY, "gib_per_cpu_second")]
