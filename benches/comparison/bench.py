"""What every experiment is made of: the machine's parts, proxies that are checked before and after, rounds in turn."""

import contextlib
import dataclasses
import os

import delivery
import proxies
from machine import QUIET, Meter, resident_kib
from proxies import Place
from stage import Stage
from terminal import say

WARM_UP_SECONDS = 1


@dataclasses.dataclass(frozen=True)
class Settings:
    rounds: int
    seconds: int  # of load on each proxy in a round
    idle_connections: int
    connections: int = 64  # kept open by the load
    sites: int = 1000
    declarations: int = 20


@dataclasses.dataclass
class Bench:
    settings: Settings
    cpus: list
    binaries: list  # (name, path) of each firewall
    visit: object
    pace: str
    envoy: str
    certificate: object
    origin: object
    origin_port: int
    progress: object = None
    disturbed: int = 0

    @property
    def proxy_cpus(self):
        return self.cpus[:1]

    @property
    def load_cpus(self):
        return self.cpus[1:]

    def place(self, stage, cpus, workers=1):
        return Place(stage, cpus, self.origin_port, self.certificate, self.envoy, workers)

    @contextlib.contextmanager
    def lineup(self, peers, workers=1):
        """The peers and the firewalls, started, and seen to deliver what they should, before and after."""
        cpus = self.proxy_cpus if workers == 1 else self.cpus
        with Stage() as stage:
            place = self.place(stage, cpus, workers)
            started = [proxies.start(place, name) for name in peers]
            started += [proxies.start_firewall(place, name, binary) for name, binary in self.binaries]
            self.check(started)
            yield started
            self.check(started)

    def check(self, started):
        for proxy in started:
            delivery.check(proxy, self.visit)

    @contextlib.contextmanager
    def origin_on_all_cpus(self):
        """For experiments in which proxy, load and origin share both CPUs."""
        os.sched_setaffinity(self.origin.pid, self.cpus)
        try:
            yield
        finally:
            os.sched_setaffinity(self.origin.pid, self.load_cpus)

    def in_turn(self, started, measure, describe, before=lambda: None):
        """What `measure` says of each proxy, round after round: `before` first, and then all, nobody always in the same place."""
        rounds = {proxy.name: [] for proxy in started}
        count = self.settings.rounds
        for number in range(count):
            before()
            first = number % len(started)
            for place, proxy in enumerate(started[first:] + started[:first], 1):
                measured = measure(proxy)
                rounds[proxy.name].append(measured)
                self.progress.step(number * len(started) + place, count * len(started),
                                   f"round {number + 1}/{count}  {proxy.name:<16} {describe(measured)}")
        return {"rounds": rounds, "proxies": {proxy.name: proxy.what for proxy in started}}

    def metered(self, proxy, load):
        """`load()` and what the proxy spent on it."""
        with Meter(proxy.process, proxy.cpus) as meter:
            answer = load()
        taken, requests = meter.taken, answer["requests"]
        self.notice(proxy, taken)
        return answer | {
            "cpu_us": taken.cpu * 1e6 / requests,
            "user_us": taken.user * 1e6 / requests,
            "system_us": taken.system * 1e6 / requests,
            "per_cpu_second": requests / taken.cpu,
            "resident_mib": resident_kib(proxy.process) / 1024,
            "busy": taken.cpu / taken.elapsed,
            "others_busy": taken.others / taken.elapsed,
        }

    def notice(self, proxy, taken):
        if proxy.cpus == self.proxy_cpus and taken.others > QUIET * taken.elapsed:
            self.disturbed += 1

    def warn_if_disturbed(self):
        if self.disturbed:
            say(f"warning: others ran on the proxy's CPU in {self.disturbed} measurements; "
                "measure again when the machine is quiet")


def described(measured):
    return (f"{measured['cpu_us']:7.2f} µs/request ({measured['user_us']:.1f} user) {measured['requests_per_second']:7.0f}/s  "
            f"busy {measured['busy']:4.0%}, others {measured['others_busy']:4.1%}")
