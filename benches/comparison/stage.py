"""Where processes run: a folder of configurations and logs, which goes away with them."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from terminal import Failure

TEMPLATES = pathlib.Path(__file__).resolve().parent / "templates"


class Stage:
    """Leaving it ends the processes that were started in it, and no other, and removes the folder."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.directory = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="comparison-")))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def render(self, templates, target, **values):
        """The templates one after the other, with each @KEY@ replaced, as the file `target`."""
        text = "\n".join((TEMPLATES / template).read_text() for template in templates)
        for key, value in values.items():
            text = text.replace(f"@{key.upper()}@", str(value))
        return self.write(target, text)

    def write(self, target, text):
        path = self.directory / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(self, cpus, name, command, **options):
        log = self.directory / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as output:
            # setpriv: should this script be killed, the kernel ends the process with it.
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *on(cpus), *map(str, command)],
                                       **{"stdin": subprocess.DEVNULL, "stdout": output} | options, stderr=output,
                                       cwd=self.directory, env=os.environ | {"NO_COLOR": "1"})
        self.stack.callback(end, process)
        return process, log


def on(cpus):
    return ["taskset", "--cpu-list", ",".join(map(str, cpus))]


def end(process):
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def run(command, cpus, seconds, **options):
    """One program to its end: what it printed."""
    try:
        answer = subprocess.run([*on(cpus), *map(str, command)], timeout=seconds, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **options)
    except subprocess.TimeoutExpired:
        raise Failure(f"{command[0]} does not end") from None
    text = answer.stdout.decode(errors="replace")
    if answer.returncode != 0:
        raise Failure(f"{command[0]} fails:\n{text.strip()[-2000:]}")
    return text


def on_free_ports(name, count, attempt):
    """For servers that cannot pick ports and tell: ports that were free just now, and others if they were taken since."""
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in range(count)]
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            ports = [probe.getsockname()[1] for probe in probes]
        process, log = attempt(*ports)
        if wait_for(lambda: process.poll() is not None or all(map(listens, ports))) and process.poll() is None:
            return process, ports
    raise Failure(f"{name} does not start:\n{tail(log)}")


def logged_port(log, listener):
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    found = re.search(rf'listening listener="?{listener}"? address="?127\.0\.0\.1:(\d+)', text)
    return int(found[1]) if found else None


def listens(port):
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, seconds=10, pause=0.02):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def tail(log):
    return log.read_text(errors="replace").strip()[-2000:] or "(it printed nothing)"
