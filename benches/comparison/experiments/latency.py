"""What a visitor waits at 70 % of what HAProxy can do at most, with two cores for the proxy.

The cores are shared with origin and load, which machines of two cores leave no way around. The peak is therefore HAProxy's in
the same arrangement, measured anew in each round by the same generator in a closed loop.
"""

import load
import plot
from proxies import FIREWALL, HAPROXY
from summary import by_proxy, median, number, ratio, spread, target

NAME = "latency"
TITLE = "latency at 70 % of HAProxy's peak, two cores"
PEERS = [HAPROXY]
SHARE = 0.7
PEAK_SECONDS = 2
PERCENTILES = {"p50_us": "p50", "p75_us": "p75", "p90_us": "p90", "p99_us": "p99", "p99_9_us": "p99.9"}


def seconds(settings, firewalls):
    return 2 + settings.rounds * (PEAK_SECONDS + (len(PEERS) + firewalls) * (settings.seconds + 0.2))


def run(bench):
    peaks = []

    def pace(proxy, rate, seconds):
        return load.pace(bench, proxy, bench.cpus, rate, seconds, bench.settings.connections)

    def measure(proxy):
        rate = round(peaks[-1] * SHARE)
        return pace(proxy, rate, bench.settings.seconds) | {"rate": rate}

    with bench.origin_on_all_cpus(), bench.lineup(PEERS, workers=2) as proxies:
        [haproxy] = [proxy for proxy in proxies if proxy.name == HAPROXY]
        return bench.in_turn(proxies, measure, described,
                             before=lambda: peaks.append(pace(haproxy, 0, PEAK_SECONDS)["requests_per_second"]))


def described(measured):
    return (f"p50 {measured['p50_us'] / 1000:6.2f} ms  p99 {measured['p99_us'] / 1000:6.2f} ms  at {measured['rate']}/s, "
            f"{measured['unsent']} unsent")


def report(result):
    def row(name):
        low, high = spread(result, name, "p99_us")
        return [number(median(result, name, "rate")), *(f"{median(result, name, key) / 1000:.2f}" for key in PERCENTILES),
                f"{low / 1000:.2f} - {high / 1000:.2f}"]

    return by_proxy(result, ["requests/s", *(f"{percentile} ms" for percentile in PERCENTILES.values()), "p99, min - max"], row)


def plots(result):
    rows = sorted(((name, [median(result, name, key) / 1000 for key in PERCENTILES]) for name in result["proxies"]),
                  key=lambda row: row[0] != FIREWALL)
    title, unit = "Latency at 70 % of HAProxy's peak rate", "ms from when a request was due, two cores; less is better"
    return {"latency.svg": plot.lines(title, unit, list(PERCENTILES.values()), rows)}


def targets(result):
    value = ratio(result, FIREWALL, HAPROXY, "p99_us")
    return [target("p99 at 70 % of HAProxy's peak, two cores", "≤ HAProxy's", f"{value:.2f} ×", value <= 1)]
