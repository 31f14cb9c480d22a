"""From one core to two, of the firewall alone.

Two cores are all there is, and load and origin need theirs: the rate that comes through two workers cannot double here, whatever
they can do. What can be seen is whether a request costs more CPU time with two workers, and whether they share the work evenly:

    speed-up = requests per CPU second at two ÷ at one, at most 1 × (CPU time of both workers ÷ that of the busier one)

At most 1, since a request that costs less says that sharing its cores makes the load come in larger batches, and nothing of scaling.
The second factor is of a load that leaves the cores time to spare: where they have none, it would tell how the kernel divides them.
"""

import load
import plot
from bench import WARM_UP_SECONDS
from machine import thread_seconds
from proxies import FIREWALL, start_firewall
from stage import Stage
from summary import median, number, table, target

NAME = "scaling"
TITLE = "the firewall from one core to two"
WORKERS = (1, 2)
RATE = 10_000  # requests a second that leave both cores time to spare


def seconds(settings, firewalls):
    return 1 + settings.rounds * firewalls * (len(WORKERS) * (WARM_UP_SECONDS + settings.seconds + 0.2) + settings.seconds)


def run(bench):
    def wrk(proxy, seconds):
        cpus = bench.cpus if len(proxy.cpus) == 2 else bench.load_cpus
        return load.wrk(proxy, bench.visit, cpus, seconds, bench.settings.connections)

    def measure(proxy):
        if len(proxy.cpus) == 2:
            with bench.origin_on_all_cpus():
                return measured(proxy)
        return measured(proxy)

    def measured(proxy):
        wrk(proxy, WARM_UP_SECONDS)
        answer = bench.metered(proxy, lambda: wrk(proxy, bench.settings.seconds))
        return answer | {"balance": balance(bench, proxy) if len(proxy.cpus) == 2 else 1}

    with Stage() as stage:
        started = []
        for name, binary in bench.binaries:
            for workers in WORKERS:
                place = bench.place(stage, bench.cpus[:workers], workers)
                started.append(start_firewall(place, key(name, workers), binary))
        bench.check(started)
        result = bench.in_turn(started, measure, described)
        bench.check(started)
    return result | {"names": [name for name, _ in bench.binaries]}


def balance(bench, proxy):
    """The CPU time of its workers, its two busiest threads, as a multiple of the busier one's."""
    before = thread_seconds(proxy.process)
    load.pace(bench, proxy, bench.cpus, RATE, bench.settings.seconds, bench.settings.connections)
    less, most = sorted(spent - before.get(thread, 0) for thread, spent in thread_seconds(proxy.process).items())[-2:]
    return (less + most) / most


def key(name, workers):
    return f"{name}, {workers} worker{'s' * (workers > 1)}"


def described(measured):
    return (f"{measured['requests_per_second']:7.0f}/s {measured['per_cpu_second']:7.0f}/CPU second, "
            f"both workers are {measured['balance']:.2f} of the busier")


def speed_up(result, name):
    one, two = key(name, 1), key(name, 2)
    gained = median(result, two, "per_cpu_second") / median(result, one, "per_cpu_second")
    return min(1, gained) * median(result, two, "balance")


def report(result):
    rows = [[each, number(median(result, each, "requests_per_second")), number(median(result, each, "per_cpu_second")),
             f"{median(result, each, 'balance'):.2f}", f"{speed_up(result, name):.2f}" if workers == 2 else "1"]
            for name in result["names"] for workers in WORKERS for each in [key(name, workers)]]
    return table(["", "requests/s", "requests / CPU second", "CPU of both ÷ of the busier", "speed-up"], rows)


def plots(result):
    rows = [(f"{name}, {workers} core{'s' * (workers > 1)}", name, [1 if workers == 1 else speed_up(result, name)])
            for name in result["names"] for workers in WORKERS]
    title, unit = "Throughput from one core to two", "× of one core, from CPU time and its balance; more is better"
    return {"scaling.svg": plot.bars(title, unit, rows, form="{:.2f}")}


def targets(result):
    value = speed_up(result, FIREWALL)
    return [target("throughput from one to two cores", "≥ 1.8 ×", f"{value:.2f} ×", value >= 1.8)]
