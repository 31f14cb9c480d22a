"""curl as a client, because visitors' own clients are as strict as it is and not as lenient as ours."""

import subprocess
from dataclasses import dataclass, field

from harness.processes import DEADLINE_SECONDS


@dataclass
class Answer:
    """`exit_code` is curl's; without an answer, `status` is 0 and the rest empty. Headers are pairs, a character a byte."""

    exit_code: int
    errors: str
    version: str = ""
    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]


def curl(*arguments, data=None):
    """Runs curl with these arguments; `data` goes to its standard input."""
    command = ["curl", "--silent", "--show-error", "--include", "--max-time", str(DEADLINE_SECONDS), *arguments]
    done = subprocess.run([str(word) for word in command], input=data, capture_output=True, timeout=2 * DEADLINE_SECONDS)
    answer = Answer(done.returncode, done.stderr.decode())
    rest = done.stdout
    while rest.startswith(b"HTTP/"):  # a 100 may come before the answer
        head, _, rest = rest.partition(b"\r\n\r\n")
        _read_head(answer, head.decode("latin-1"))
    answer.body = rest
    return answer


def _read_head(answer, head):
    first, *lines = head.split("\r\n")
    version, status, *_ = first.split(" ")
    answer.version, answer.status = version, int(status)
    pairs = (line.split(":", 1) for line in lines)
    answer.headers = [(name.lower(), value.removeprefix(" ")) for name, value in pairs]


def site(domain, address, path, scheme="https"):
    """The arguments that ask for `path` of `domain` at `address`, whatever the name resolves to."""
    host, port = address.split(":")
    return ["--resolve", f"{domain}:{port}:{host}", f"{scheme}://{domain}:{port}{path}"]
