"""HTTP/1.1: what one exchange costs each of them."""

import cost
import load
from bench import WARM_UP_SECONDS
from proxies import ENVOY, ENVOY_LUA, HAPROXY, HAPROXY_LUA, HAPROXY_TCP, NGINX, NGINX_LUA
from summary import at_most

NAME = "http1"
TITLE = "HTTP/1.1, a page of 1 KiB with seven Set-Cookie lines"
PEERS = [HAPROXY_TCP, HAPROXY, NGINX, NGINX_LUA, HAPROXY_LUA, ENVOY, ENVOY_LUA]


def seconds(settings, firewalls):
    return 5 + settings.rounds * (len(PEERS) + firewalls) * (WARM_UP_SECONDS + settings.seconds + 0.2)


def run(bench):
    def wrk(proxy, seconds):
        return load.wrk(proxy, bench.visit, bench.load_cpus, seconds, bench.settings.connections)

    return cost.run(bench, PEERS, wrk)


def report(result):
    return cost.table(result)


def plots(result):
    return {"cpu-per-request.svg": cost.bars(result, "CPU time for each request over HTTP/1.1")}


def targets(result):
    what = "HTTP/1.1, CPU time per request"
    bounds = [(1.0, HAPROXY), (0.8, NGINX_LUA), (0.6, HAPROXY_LUA), (0.25, ENVOY_LUA), (1.25, HAPROXY_TCP)]
    return [at_most(result, what, limit, base, "cpu_us") for limit, base in bounds]
