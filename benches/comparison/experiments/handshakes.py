"""New connections over TLS 1.3: a full handshake with ECDSA P-256, none resumed, and one request on each."""

import load
import plot
from bench import described
from proxies import HAPROXY, NGINX
from summary import at_least, by_proxy, median, number, ratio, spread

NAME = "handshakes"
TITLE = "new TLS 1.3 connections, ECDSA P-256, none resumed"
PEERS = [HAPROXY, NGINX]
EACH_SECOND = 800  # as many as the client's CPU can do besides the origin's work


def seconds(settings, firewalls):
    return 2 + settings.rounds * (len(PEERS) + firewalls) * (settings.seconds + 1)


def run(bench):
    def connect(proxy, seconds):
        return load.h2load_connecting(proxy, bench.visit, bench.load_cpus, round(EACH_SECOND * seconds), EACH_SECOND)

    def measure(proxy):
        connect(proxy, 0.25)
        return bench.metered(proxy, lambda: connect(proxy, bench.settings.seconds))

    with bench.lineup(PEERS) as proxies:
        return bench.in_turn(proxies, measure, described)


def report(result):
    def row(name):
        low, high = spread(result, name, "per_cpu_second")
        return [number(median(result, name, "per_cpu_second")), f"{number(low)} - {number(high)}",
                f"{ratio(result, name, HAPROXY, 'per_cpu_second'):.2f}", f"{median(result, name, 'cpu_us'):.0f}"]

    return by_proxy(result, ["connections / CPU second", "min - max", "× HAProxy", "CPU µs / connection"], row)


def plots(result):
    rows = [(what, name, [median(result, name, "per_cpu_second")]) for name, what in result["proxies"].items()]
    title, unit = "New TLS 1.3 connections for each CPU second", "connections, ECDSA P-256, none resumed; more is better"
    return {"handshakes.svg": plot.bars(title, unit, rows, form="{:,.0f}")}


def targets(result):
    return [at_least(result, "new TLS 1.3 connections per CPU second", 1.0, HAPROXY, "per_cpu_second")]
