"""Load, and what it is served from: nginx as an upstream, h2load for volume, threads where failures must be told."""

import contextlib
import http.client
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field

from harness import http2
from harness.processes import DEADLINE_SECONDS, Program

DOMAIN = "portal.example"

# Ports that the system gives to nobody on its own: what is ended can be started again on the same one.
_PORTS = iter(random.sample(range(15_000, 32_000), 2_000))

_PAGE_BYTES = 1024


def free_port():
    """A port of 127.0.0.0/8 where nobody listens; it is not given out twice."""
    for port in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("0.0.0.0", port))
                return port
    raise AssertionError("no port is free")


def split(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def eventually(check):
    """The first true value of `check()`, asked again and again for as long as a step may take."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := check()):
        assert time.monotonic() < deadline, f"never came true: {check}"
        time.sleep(0.02)  # the pace of asking, on a machine that is busy with the load
    return value


def ask(address, path, method="GET", host=None):
    """(status, text) of one exchange with an admin listener, or with an upstream."""
    connection = http.client.HTTPConnection(address, timeout=DEADLINE_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Host": host or address})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


class Certificate:
    """A self-signed ECDSA P-256 certificate for DOMAIN; `renew` replaces both files as certbot does, by renaming."""

    def __init__(self, directory):
        self.chain, self.key = directory / "chain.pem", directory / "key.pem"
        self.renew()

    def renew(self):
        chain, key = (path.with_suffix(".new") for path in (self.chain, self.key))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "90", "-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}",
             "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", chain],
            check=True, capture_output=True, timeout=DEADLINE_SECONDS,
        )
        key.rename(self.key)
        chain.rename(self.chain)
        return self.der()

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.chain.read_text())


def trusting_context():
    """A client's, that takes any certificate: the tests compare them byte by byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def served_certificate(address):
    """What a new connection is shown, in DER."""
    with socket.create_connection(split(address), DEADLINE_SECONDS) as plain:
        with trusting_context().wrap_socket(plain, server_hostname=DOMAIN) as connection:
            return connection.getpeercert(binary_form=True)


def served_head(address):
    """The head of the answer that a new connection over TLS gets, and its body."""
    with socket.create_connection(split(address), DEADLINE_SECONDS) as plain:
        with trusting_context().wrap_socket(plain, server_hostname=DOMAIN) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n".encode())
            return connection.makefile("rb").read().decode()


class Ending(Program):
    """A program that a test may kill; `exit_code` is how it has to end."""

    exit_code = 0

    def kill(self):
        self.process.kill()
        self.exit_code = -signal.SIGKILL
        self.wait()


class Nginx(Ending):
    """nginx in one process, so that its pid is all there is to kill, and below a directory of its own."""

    _FRAME = """\
daemon off;
master_process off;
pid {prefix}/nginx.pid;
error_log stderr notice;
worker_rlimit_nofile {descriptors};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    {http}
}}
"""

    def __init__(self, prefix, http, connections=4_096):
        prefix.mkdir(parents=True, exist_ok=True)
        config = prefix / "nginx.conf"
        config.write_text(self._FRAME.format(
            prefix=prefix, http=http, connections=connections, descriptors=connections + 1_000))
        super().__init__(["nginx", "-p", prefix, "-c", config, "-e", "stderr"])
        self.stderr.wait_for(r"OS: Linux")  # which it says once it listens

class Upstream(Nginx):
    """A page of 1 KiB with a cookie that the site declares and two that it does not, and the upstream's name."""

    def __init__(self, directory, name="upstream", host="127.0.0.1", port=None):
        self.name, self.host, self.port = name, host, port or free_port()
        self.directory = directory
        self.address = f"{self.host}:{self.port}"
        page = (f"page of {name}\n" + "x" * _PAGE_BYTES)[:_PAGE_BYTES]
        super().__init__(directory / name, f"""
    server {{
        listen {self.address} backlog=4096;
        default_type text/html;
        add_header Set-Cookie "sessionid=0123456789abcdef; Path=/; HttpOnly";
        add_header Set-Cookie "_ga=GA1.2.3; Path=/; Max-Age=63072000";
        add_header Set-Cookie "tracker=x; Path=/";
        add_header Upstream {name};
        location / {{ return 200 "{page}"; }}
    }}""")

    def start_again(self):
        """A new process in the place of this one, which is gone."""
        return Upstream(self.directory, self.name, self.host, self.port)


class QuietFirewall(Ending):
    """The firewall as it runs in production: its log at `info`."""

    def __init__(self, binary, config, wrapper=(), **options):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LISTEN_")}
        super().__init__([*wrapper, binary, "run", "--config", config],
                         env=environment | {"RUST_LOG": "info", "NO_COLOR": "1"}, **options)
        try:
            self.stderr.wait_for(r"\bready\b")
        except AssertionError:
            self.stop()
            raise
        self.admin = self.address_of("admin")

    def address_of(self, listener):
        """The address of the first listener of this kind, by what the log says."""
        match = self.stderr.wait_for(rf"listening listener={listener} address=(\S+)")
        return match.group(1)

    def metrics(self):
        return ask(self.admin, "/metrics")[1]


class Site:
    """A configuration with one site, whose files the tests write again."""

    def __init__(self, directory, server, upstream, certificate=None, extra=""):
        directory.mkdir(parents=True)
        self.main = directory / "cookie-firewall.toml"
        self.file = directory / "site.toml"
        self.main.write_text(f'[server]\nsites = ["site.toml"]\n{server}\n')
        self._upstream, self._certificate, self._extra = upstream, certificate, extra
        self.write()

    def write(self, hsts=None):
        self.file.write_text(self.text(hsts))

    def text(self, hsts=None):
        upstreams = ", ".join(f'"http://{address}"' for address in self._upstream)
        lines = [f'domain = "{DOMAIN}"', f"upstream = [{upstreams}]", self._extra]
        if hsts is not None:
            lines += ["[tls]", f'hsts = "{hsts} s"']
        if self._certificate is not None:
            chain, key = self._certificate.chain, self._certificate.key
            lines += ["[[tls.certificate]]", f'chain = "{chain}"', f'key = "{key}"']
        lines += ["[[cookie]]", 'name = "sessionid"', 'category = "necessary"']
        lines += ["[[cookie]]", 'name = "cookies_preferences"', 'category = "necessary"']
        return "\n".join(lines) + "\n"


@dataclass
class Volume:
    """What h2load's summaries add up to."""

    requests: int = 0
    succeeded: int = 0
    rounds: int = 0
    trouble: list = field(default_factory=list)


class H2Load:
    """h2load, round after round on new connections, each of `lanes` in a process of its own.

    A lane is "h2" or "h1". It goes on until `finish`, and until `at_least` requests are done in all.
    """

    CONNECTIONS, STREAMS = 8, 8

    def __init__(self, address, lanes=("h2", "h1"), tls=True, at_least=0, per_round=10_000):
        self._url = f"http{'s' * tls}://{DOMAIN}:{split(address)[1]}/"
        self._tls, self._address = tls, address
        self._at_least, self._per_round = at_least, per_round
        self._changed = threading.Condition()
        self._volume = Volume()
        self._over = False
        self._lanes = [threading.Thread(target=self._rounds, args=(lane,), daemon=True) for lane in lanes]
        for lane in self._lanes:
            lane.start()

    def finish(self):
        """Lets the rounds that run come to their end; returns what all of them add up to."""
        with self._changed:
            self._over = True
        for lane in self._lanes:
            lane.join(DEADLINE_SECONDS)
            assert not lane.is_alive(), "h2load does not come to its end"
        return self._volume

    def wait_for_requests(self, count):
        """Returns once `count` requests are done since the start."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._volume.requests >= count or self._volume.trouble, DEADLINE_SECONDS)
            assert done and not self._volume.trouble, self._volume

    def _rounds(self, lane):
        while not self._enough():
            round_ = self._round(lane)
            with self._changed:
                self._add(*round_)
                self._changed.notify_all()

    def _enough(self):
        with self._changed:
            return bool(self._volume.trouble) or (self._over and self._volume.requests >= self._at_least)

    def _round(self, lane):
        protocol = ["--h1"] if lane == "h1" else ([] if self._tls else ["--no-tls-proto=h2c"])
        streams = 1 if lane == "h1" else self.STREAMS
        command = ["h2load", *protocol, f"--connect-to={self._address}", f"--requests={self._per_round}",
                   f"--clients={self.CONNECTIONS}", f"--max-concurrent-streams={streams}", self._url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
        return lane, done.returncode, done.stdout + done.stderr

    def _add(self, lane, code, text):
        summary = dict(_counts(text, "requests"))
        statuses = dict(_counts(text, "status codes"))
        self._volume.rounds += 1
        self._volume.requests += summary.get("total", 0)
        self._volume.succeeded += statuses.get("2xx", 0)
        n = self._per_round
        expected = {"total": n, "started": n, "done": n, "succeeded": n, "failed": 0, "errored": 0, "timeout": 0}
        if code != 0 or summary != expected or statuses.get("2xx") != n:
            self._volume.trouble.append(f"{lane}: exit code {code}\n{text}")


def _counts(text, line):
    """("failed", 0), ... of h2load's line `line`."""
    if match := re.search(rf"^{line}: (.*)$", text, re.MULTILINE):
        for number, word in re.findall(r"(\d+) (\w+)", match.group(1)):
            yield word, int(number)


class Clients:
    """Visitors in threads: some keep their connection alive, some open one for each request, some speak HTTP/2.

    Whoever is told `Connection: close`, or GOAWAY, opens another connection. Everything else that keeps
    a request from its complete answer is a failure: a connection that is not made, a reset, an end
    before its time.
    """

    def __init__(self, address, keep_alive=4, one_shot=4, http2=0, tls=False):
        self._address = split(address)
        self._tls = tls
        self._changed = threading.Condition()
        self._over = False
        self.answered = self.told_to_close = 0
        self.failures = []
        kinds = [self._keep_alive] * keep_alive + [self._one_shot] * one_shot + [self._http2] * http2
        # An address for each, so that none runs out of ports.
        self._threads = [
            threading.Thread(target=self._visit, args=(kind, f"127.0.1.{number}"), daemon=True)
            for number, kind in enumerate(kinds, 1)
        ]
        for thread in self._threads:
            thread.start()

    def wait_for_more(self, count):
        """Returns once `count` further requests have been answered."""
        with self._changed:
            goal = self.answered + count
            met = self._changed.wait_for(lambda: self.answered >= goal or self.failures, DEADLINE_SECONDS)
            assert met and not self.failures, self.failures[:5]

    def finish(self):
        with self._changed:
            self._over = True
        for thread in self._threads:
            thread.join(DEADLINE_SECONDS)
            assert not thread.is_alive(), "a client does not come to its end"

    def _visit(self, kind, source):
        while not self._is_over():
            try:
                kind(source)
            except Exception as error:  # whatever it is, it kept a request from its answer
                with self._changed:
                    self.failures.append(f"{kind.__name__} from {source}: {error!r}")
                    self._changed.notify_all()
                return

    def _is_over(self):
        return self._over

    def _keep_alive(self, source):
        with self._connect(source) as connection, connection.makefile("rb") as answers:
            closes = False
            while not (closes or self._over):
                closes = self._exchange(connection, answers, "keep-alive")
            self._count(told_to_close=closes)

    def _one_shot(self, source):
        with self._connect(source) as connection, connection.makefile("rb") as answers:
            self._exchange(connection, answers, "close")

    def _http2(self, source):
        with self._connect(source, ["h2"]) as connection:
            client = http2.Connection(connection, DOMAIN)
            client.use(lambda: self._count(answered=1), self._is_over)
            self._count(told_to_close=client.told_to_leave)

    def _exchange(self, connection, answers, option):
        """One request; whether the connection is to be closed after it."""
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: {option}\r\n\r\n".encode())
        closes = read_answer(answers)
        self._count(answered=1)
        return closes

    def _connect(self, source, protocols=("http/1.1",)):
        plain = socket.create_connection(self._address, DEADLINE_SECONDS, source_address=(source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._tls:
            return plain
        context = trusting_context()
        context.set_alpn_protocols(protocols)
        return context.wrap_socket(plain, server_hostname=DOMAIN)

    def _count(self, answered=0, told_to_close=0):
        with self._changed:
            self.answered += answered
            self.told_to_close += told_to_close
            self._changed.notify_all()


def read_answer(stream):
    """Reads one complete 200; returns whether the connection is to be closed."""
    status = stream.readline()
    if not status.startswith(b"HTTP/1.1 200 "):
        raise AssertionError(f"the connection ended without an answer: {status!r}" if not status else f"{status!r}")
    length, closes = None, False
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        closes |= name.lower() == b"connection" and b"close" in value.lower()
    body = stream.read(length)
    if len(body) != length:
        raise AssertionError(f"{len(body)} of {length} bytes came")
    return closes
