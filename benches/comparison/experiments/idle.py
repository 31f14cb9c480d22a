"""Resident memory with many idle keep-alive connections, each of which has served a request."""

import sys
import time

import packages
import plot
import proxies
from machine import resident_kib
from proxies import FIREWALL, HAPROXY, NGINX
from stage import Stage
from summary import table, target
from terminal import Failure

NAME = "idle"
TITLE = "resident memory with idle connections"
PEERS = [NGINX, HAPROXY]
KINDS = {"clear": "clear text", "tls": "TLS 1.3"}
LEAST_SECONDS, SETTLED_SECONDS, MOST_SECONDS = 12, 3, 18
HOLDER = packages.HERE / "tools/holder.py"


def seconds(settings, firewalls):
    return (len(PEERS) + firewalls) * (settings.idle_connections * 0.002 + 2 * (LEAST_SECONDS + 2))


def run(bench):
    names = [(name, None) for name in PEERS] + bench.binaries
    steps = [(kind, name, binary) for kind in KINDS for name, binary in names]
    memory = {}
    for place, (kind, name, binary) in enumerate(steps, 1):
        measured = measure(bench, kind, name, binary)
        memory.setdefault(name, {})[kind] = measured
        bench.progress.step(place, len(steps), f"{name:<16} {KINDS[kind]:<10} {measured['resident_kib'] / 1024:.0f} MiB, "
                                               f"{measured['kib_per_connection']:.1f} KiB for each connection")
    return {"memory": memory, "connections": bench.settings.idle_connections,
            "proxies": {name: proxies.WHAT.get(name, name) for name, _ in names}}


def measure(bench, kind, name, binary):
    """Each kind with a process of its own: memory that was freed is used again, and would not be counted."""
    with Stage() as stage:
        place = bench.place(stage, bench.proxy_cpus)
        proxy = proxies.start_firewall(place, name, binary) if binary else proxies.start(place, name)
        before = resident_kib(proxy.process)
        held = hold(bench, stage, proxy, kind)
        after = settled_kib(proxy)
        if (answer := held("alive")) != bench.settings.idle_connections:
            raise Failure(f"{name} has closed idle connections: {answer} are left of {bench.settings.idle_connections}")
        held("sample")
        bench.check([proxy])
    return {"before_kib": before, "resident_kib": after,
            "kib_per_connection": (after - before) / bench.settings.idle_connections}


def hold(bench, stage, proxy, kind):
    """Opens all of them; what is returned asks the process that holds them."""
    port = proxy.tls_port if kind == "tls" else proxy.port
    request = stage.write("request", bench.visit.request("/").decode())
    command = [sys.executable, HOLDER, port, kind, bench.settings.idle_connections, request]
    process, log = stage.start(bench.load_cpus, "holder", command, stdin=-1, stdout=-1, text=True)

    def told(word):
        said = process.stdout.readline().split()
        if said[:1] != [word]:
            process.wait(5)
            raise Failure(f"connections to {proxy.name} cannot be held: {log.read_text().strip()[-1000:]}")
        return int(said[1])

    def ask(word):
        process.stdin.write(word + "\n")
        process.stdin.flush()
        return told(word)

    told("open")
    return ask


def settled_kib(proxy):
    """Once it has not shrunk for some seconds: what a proxy gives back of a burst, it may give back late, and not all at once."""
    start = least_since = time.monotonic()
    least = resident_kib(proxy.process)

    def may_shrink():
        waited, since = time.monotonic() - start, time.monotonic() - least_since
        return waited < LEAST_SECONDS or since < SETTLED_SECONDS and waited < MOST_SECONDS

    while may_shrink():
        time.sleep(0.25)
        current = resident_kib(proxy.process)
        if current < 0.99 * least:
            least, least_since = current, time.monotonic()
    return current


def report(result):
    rows = [[what, *(cell for kind in KINDS for cell in cells(result["memory"][name][kind]))]
            for name, what in result["proxies"].items()]
    headers = [f"{what}: {unit}" for what in KINDS.values() for unit in ("MiB", "KiB / connection")]
    return [f"{result['connections']:,} connections.", ""] + table(["proxy", *headers], rows)


def cells(measured):
    return f"{measured['resident_kib'] / 1024:.0f}", f"{measured['kib_per_connection']:.1f}"


def plots(result):
    rows = [(f"{name}, {what}", name, [result["memory"][name][kind]["resident_kib"] / 1024])
            for kind, what in KINDS.items() for name in result["proxies"]]
    title = f"Resident memory with {result['connections']:,} idle connections"
    return {"memory.svg": plot.bars(title, "MiB, less is better", rows, form="{:.0f}")}


def targets(result):
    own, nginx = result["memory"][FIREWALL], result["memory"][NGINX]
    title = f"{result['connections']:,} idle connections, resident memory"
    values = {kind: own[kind]["resident_kib"] / nginx[kind]["resident_kib"] for kind in KINDS}
    return [target(f"{title}, {what}", "≤ nginx's", f"{values[kind]:.2f} ×", values[kind] <= 1) for kind, what in KINDS.items()]
