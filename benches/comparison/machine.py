"""The machine as Linux tells of it: its CPUs, and what a process takes of them and of memory."""

import contextlib
import dataclasses
import os
import pathlib
import platform
import re
import resource
import time

from terminal import Failure, say

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
QUIET = 0.05  # share of a CPU that may go to others before the figures are doubted


def two_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Failure("two CPUs are needed, one for the proxy and one for the load; this process may use only one")
    return cpus[:2]


def allow_open_files(count):
    """For this process and those that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < count:
        raise Failure(f"{count} open files are needed, and {most} are allowed; raise the hard limit (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def warn_if_busy(cpus):
    before, start = [busy_seconds(cpu) for cpu in cpus], time.monotonic()
    time.sleep(1)
    for cpu, busy in zip(cpus, before):
        share = (busy_seconds(cpu) - busy) / (time.monotonic() - start)
        if share > QUIET:
            say(f"warning: CPU {cpu} is {share:.0%} busy with something else; the figures will be off")


def description():
    models = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": f"{len(models)} x {models[0]}" if models else platform.machine(),
        "kernel": platform.release(),
    }


@dataclasses.dataclass
class Taken:
    """What a process took of its CPU, and what others did, while something was measured."""

    elapsed: float
    user: float
    system: float
    others: float  # seconds that others ran on the CPUs where the process may run

    @property
    def cpu(self):
        return self.user + self.system


class Meter:
    """`with Meter(proxy.process, cpus) as meter:` and then `meter.taken`."""

    def __init__(self, process, cpus):
        self.process = process
        self.cpus = cpus

    def __enter__(self):
        self.before = self.reading()
        return self

    def __exit__(self, *error):
        if error[0] is None:
            elapsed, user, system, busy = (after - before for before, after in zip(self.before, self.reading()))
            self.taken = Taken(elapsed, user, system, max(0.0, busy - user - system))

    def reading(self):
        return time.monotonic(), *process_seconds(self.process), sum(map(busy_seconds, self.cpus))


def process_seconds(process):
    """User and system time of a process: of all its threads, those that ended included.

    Their sum is exact, by the clock that clock_getcpuclockid(3) describes; how it divides, Linux tells by ticks.
    """
    fields = proc(process, "stat").rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    total = time.clock_gettime((~process.pid << 3) | 2)
    share = user / (user + system) if user + system else 0
    return total * share, total * (1 - share)


def thread_seconds(process):
    """Time on a CPU of each thread, by its id."""
    spent = {}
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            spent[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return spent


def resident_kib(process):
    return int(re.search(r"^VmRSS:\s*(\d+) kB$", proc(process, "status"), re.MULTILINE)[1])


def proc(process, name):
    try:
        return pathlib.Path(f"/proc/{process.pid}/{name}").read_text()
    except FileNotFoundError:
        raise Failure(f"a process under measurement has ended: {' '.join(map(str, process.args))}") from None


def busy_seconds(cpu):
    lines = pathlib.Path("/proc/stat").read_text().splitlines()
    user, nice, system, _idle, _iowait, irq, softirq, steal = next(
        map(int, line.split()[1:9]) for line in lines if line.startswith(f"cpu{cpu} "))
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND
