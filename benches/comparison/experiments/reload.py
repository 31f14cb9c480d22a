"""Start and reload with many sites, and what requests notice of a reload."""

import http.client
import statistics
import threading
import time

import delivery
import load
import plot
import proxies
from proxies import FIREWALL
from stage import Stage
from summary import number, table, target
from terminal import Failure

NAME = "reload"
TITLE = "start and reload with many sites"
RATE = 2000  # requests a second beside the reloads
PAUSE = 0.5  # seconds from one reload to the next
MOST_MS = {"start_ms": 300, "reload_ms": 300, "added_ms": 5}

DECLARATION = """
[[cookie]]
name     = "cookie_{number}"
provider = "The portal"
service  = "Service {number}"
purpose  = "Remembers what the visitor of this site did there."
category = "{category}"
max_age  = "6 months"
"""


def seconds(settings, firewalls):
    return firewalls * settings.rounds * (3 * settings.seconds + 1.5)


def run(bench):
    results = {name: {"starts_ms": [], "rounds": []} for name, _ in bench.binaries}
    steps = [(round_, *firewall) for round_ in range(1, bench.settings.rounds + 1) for firewall in bench.binaries]
    for place, (round_, name, binary) in enumerate(steps, 1):
        with Stage() as stage:
            # All but the portal's own site, which `start_firewall` adds.
            write_sites(stage.directory / name / "sites", bench.origin_port, bench.settings.sites - 1, bench.settings.declarations)
            one_round(bench, stage, name, binary, results[name])
        bench.progress.step(place, len(steps), f"round {round_}/{bench.settings.rounds}  {name:<16} {described(results[name])}")
    return {"firewalls": results, "sites": bench.settings.sites, "declarations": bench.settings.declarations}


def described(own):
    last = own["rounds"][-1]
    return (f"start {own['starts_ms'][-1]:.0f} ms, reload {statistics.median(last['reloads_ms']):.0f} ms, slowest request "
            f"{last['reloading']['max_us'] / 1000:.1f} ms, without {last['quiet']['max_us'] / 1000:.1f} ms")


def write_sites(folder, origin, count, declarations):
    folder.mkdir(parents=True)
    cookies = "".join(DECLARATION.format(number=place, category=("necessary", "statistics", "marketing")[place % 3])
                      for place in range(declarations))
    for site in range(1, count + 1):
        head = f'domain   = "site-{site}.example"\nupstream = "http://127.0.0.1:{origin}"\n'
        (folder / f"site-{site}.toml").write_text(head + cookies)


def one_round(bench, stage, name, binary, results):
    begin = time.monotonic()
    process, log = proxies.spawn_firewall(bench.place(stage, bench.cpus, 2), name, binary)
    proxy = proxies.wait_for_firewall(name, process, log, bench.cpus, pause=0.001)
    delivery.http1(proxy, "/", bench.visit)
    results["starts_ms"].append((time.monotonic() - begin) * 1000)

    def pace():
        return load.pace(bench, proxy, bench.load_cpus, RATE, bench.settings.seconds, bench.settings.connections)

    pace()  # so that the connections to the origin are there
    quiet = pace()
    reloads = Reloads(proxy, stage.directory / name / "sites/site-1.toml")
    with reloads:
        reloading = pace()
    bench.check([proxy])
    results["rounds"].append({"quiet": quiet, "reloading": reloading, "reloads_ms": reloads.times_ms})


class Reloads:
    """Changes a site file and has the firewall reload, again and again, while other things go on."""

    def __init__(self, proxy, site):
        self.proxy, self.site, self.times_ms = proxy, site, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.repeat, daemon=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()
        if error[0] is None and not self.times_ms:
            raise Failure(f"{self.proxy.name} does not reload")

    def repeat(self):
        text = self.site.read_text()
        while not self.over.wait(PAUSE):
            self.site.write_text(f'{text}\n[[cookie]]\nname = "new_{len(self.times_ms)}"\ncategory = "necessary"\n')
            begin = time.monotonic()
            if not self.reload():
                return
            self.times_ms.append((time.monotonic() - begin) * 1000)

    def reload(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.admin_port, timeout=10)
        try:
            connection.request("POST", "/-/reload")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def figures(result, name):
    """Medians; of slow requests the slowest of all."""
    own = result["firewalls"][name]
    return {
        "start_ms": statistics.median(own["starts_ms"]),
        "reload_ms": statistics.median(time_ for each in own["rounds"] for time_ in each["reloads_ms"]),
        "reloads": sum(len(each["reloads_ms"]) for each in own["rounds"]),
        "slowest_ms": slowest(own, "reloading"),
        "slowest_quiet_ms": slowest(own, "quiet"),
        "added_ms": max(0, slowest(own, "reloading") - slowest(own, "quiet")),
        "late": sum(each["reloading"]["over_5_ms"] for each in own["rounds"]),
        "late_quiet": sum(each["quiet"]["over_5_ms"] for each in own["rounds"]),
        "requests": sum(each["reloading"]["requests"] for each in own["rounds"]),
    }


def slowest(own, when):
    return max(each[when]["max_us"] for each in own["rounds"]) / 1000


def report(result):
    rows = []
    for name in result["firewalls"]:
        own = figures(result, name)
        rows.append([name, f"{own['start_ms']:.0f}", f"{own['reload_ms']:.0f}", own["reloads"], number(own["requests"]),
                     f"{own['slowest_ms']:.1f} / {own['slowest_quiet_ms']:.1f}", f"{own['late']} / {own['late_quiet']}"])
    headers = ["", "start ms", "reload ms", "reloads", "requests beside them", "slowest ms, with / without reloads",
               "over 5 ms, with / without"]
    return [f"{result['sites']:,} sites of {result['declarations']} declarations.", ""] + table(headers, rows)


def plots(result):
    rows = [(f"{name}, {what}", name, [figures(result, name)[key]]) for name in result["firewalls"]
            for what, key in (("start", "start_ms"), ("reload", "reload_ms"))]
    title = f"Start and reload with {result['sites']:,} sites of {result['declarations']} declarations"
    return {"reload.svg": plot.bars(title, "ms, less is better", rows, form="{:.0f}")}


def targets(result):
    own, sites = figures(result, FIREWALL), f"{result['sites']:,} sites of {result['declarations']} declarations"
    rows = [(f"start with {sites}", "start_ms"), (f"reload with {sites}", "reload_ms"),
            ("slowest request during reloads, less the slowest without", "added_ms")]
    return [target(what, f"≤ {MOST_MS[key]} ms", f"{own[key]:.1f} ms", own[key] <= MOST_MS[key]) for what, key in rows]
