"""Programs under test: started, waited for by what they say, ended by their own process id."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

# No step of these programs takes more than a few seconds; a loaded machine gets ten times that.
DEADLINE_SECONDS = 60


def wait_until(holds, what):
    """Asks until it holds. For what only shows when asked for, such as a metric; whatever can be waited for is."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"


class Output:
    """What a program has written so far, read by a thread so that it never blocks on a full pipe."""

    def __init__(self, pipe):
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def _read(self, pipe):
        for line in pipe:
            with self._changed:
                self._lines.append(line.decode(errors="backslashreplace"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def text(self):
        with self._changed:
            return "".join(self._lines)

    def wait_for(self, pattern):
        """The first match of `pattern`, waiting for it if it has not been written yet."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._changed:
            while True:
                if match := re.search(pattern, "".join(self._lines)):
                    return match
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    raise AssertionError(f"no {pattern!r} in the output:\n{''.join(self._lines)}")
                self._changed.wait(left)

    def join(self):
        self._reader.join(DEADLINE_SECONDS)
        assert not self._reader.is_alive(), "the program is gone and something still holds its output"


class Program:
    """A running program and what it writes."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )
        self.stdout = Output(self.process.stdout)
        self.stderr = Output(self.process.stderr)

    def terminate(self):
        os.kill(self.process.pid, signal.SIGTERM)

    def wait(self):
        """Its exit code, once it has ended and all it wrote has been read."""
        code = self.process.wait(DEADLINE_SECONDS)
        self.stdout.join()
        self.stderr.join()
        return code

    def stop(self):
        """Ends it if it still runs, and returns its exit code; a program that will not end is killed and reported."""
        if self.process.poll() is None:
            self.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"did not end when told to:\n{self.stderr.text()}") from None

    def written(self):
        return self.stdout.text() + self.stderr.text()


class Portal(Program):
    """gunicorn in front of the Django project, on a port of the system's choice."""

    PROJECT = Path(__file__).parent.parent / "portal"
    USER, PASSWORD = "camille", "SECRET-password-of-camille"

    def __init__(self, state):
        environment = os.environ | {
            "PORTAL_STATE": str(state),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONPATH": str(self.PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_SUPERUSER_PASSWORD": self.PASSWORD,
        }
        self._django(environment, "migrate", "--verbosity", "0")
        self._django(environment, "createsuperuser", "--noinput", "--verbosity", "0",
                     "--username", self.USER, "--email", "camille@portal.example")
        super().__init__(
            [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", "127.0.0.1:0",
             "--workers", "1", "--threads", "4", "--keep-alive", "30", "--no-control-socket"],
            env=environment, cwd=state,
        )
        match = self.stderr.wait_for(r"Listening at: http://(127\.0\.0\.1:\d+)")
        self.address = match.group(1)

    @staticmethod
    def _django(environment, *arguments):
        subprocess.run([sys.executable, "-m", "django", *arguments],
                       env=environment, check=True, timeout=DEADLINE_SECONDS)


class Firewall(Program):
    """`cookie-firewall run` on ports of the system's choice, which its log names."""

    # The most talkative log there is: no cookie value may be in it at any level.
    EVERYTHING = "trace"

    def __init__(self, binary, config, log=EVERYTHING):
        super().__init__([binary, "run", "--config", config], env=os.environ | {"RUST_LOG": log})
        try:
            self.http = self._address_of("http")
            self.admin = self._address_of("admin")
        except AssertionError:
            self.stop()
            raise

    @property
    def https(self):
        return self._address_of("https")

    def memory(self, row="VmRSS"):
        """Bytes of a row of /proc/PID/status: VmRSS is what it holds now, VmHWM the most it has ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"(?m)^{row}:\s+(\d+) kB$", status).group(1)) * 1024

    def _address_of(self, listener):
        match = self.stderr.wait_for(rf"listening listener={listener} address=(127\.0\.0\.1:\d+)")
        return match.group(1)
