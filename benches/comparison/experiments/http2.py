"""HTTP/2 over TLS 1.3 from the client, HTTP/1.1 to the origin: what one exchange costs each of them."""

import cost
import load
from bench import WARM_UP_SECONDS
from proxies import HAPROXY, NGINX
from summary import at_most

NAME = "http2"
TITLE = "the same page over HTTP/2 and TLS 1.3"
PEERS = [HAPROXY, NGINX]
CONNECTIONS, STREAMS = 16, 8


def seconds(settings, firewalls):
    return 2 + settings.rounds * (len(PEERS) + firewalls) * (WARM_UP_SECONDS + settings.seconds + 0.6)


def run(bench):
    def h2load(proxy, seconds):
        return load.h2load_closed(proxy, bench.visit, bench.load_cpus, seconds, CONNECTIONS, STREAMS)

    return cost.run(bench, PEERS, h2load)


def report(result):
    return cost.table(result)


def plots(result):
    return {"cpu-per-request-http2.svg": cost.bars(result, "CPU time for each request over HTTP/2 and TLS 1.3")}


def targets(result):
    return [at_most(result, "HTTP/2 over TLS 1.3, CPU time per request", 1.0, base, "cpu_us") for base in PEERS]
