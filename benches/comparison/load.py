"""The load generators, and what they tell. A broken connection, or any answer but a good one, fails the whole run."""

import json
import pathlib
import re
import statistics
import tempfile

import stage
from terminal import Failure
from visit import SITE

REPORT = pathlib.Path(__file__).resolve().parent / "tools/wrk_report.lua"
# One suite for all: servers would otherwise choose among several by their own taste.
SUITE = "TLS_AES_128_GCM_SHA256"


def wrk(proxy, visit, cpus, seconds, connections, path="/"):
    """A closed loop over HTTP/1.1: each connection asks again as soon as it is answered."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", REPORT, *fields(visit),
               f"http://127.0.0.1:{proxy.port}{path}"]
    text = stage.run(command, cpus, seconds + 15)
    found = re.search(r"^\{.*\}$", text, re.MULTILINE)
    if not found:
        raise Failure(f"wrk fails against {proxy.name}:\n{text}")
    answer = json.loads(found[0])
    errors = {kind: answer[kind] for kind in ("connect", "read", "write", "status", "timeout") if answer[kind]}
    if errors or not answer["requests"]:
        raise Failure(f"{proxy.name} fails under load: {answer['requests']} requests answered, errors {errors}")
    return {
        "requests": answer["requests"],
        "requests_per_second": answer["requests"] * 1e6 / answer["duration_us"],
        "p50_ms": answer["p50_us"] / 1000,
        "p99_ms": answer["p99_us"] / 1000,
    }


def h2load_closed(proxy, visit, cpus, seconds, connections, streams):
    """A closed loop over HTTP/2: each connection keeps so many streams open."""
    return h2load(proxy, visit, cpus, seconds + 15, "--duration", seconds, "--clients", connections,
                  "--max-concurrent-streams", streams)


def h2load_connecting(proxy, visit, cpus, count, each_second):
    """New connections, so many a second, with a full handshake and one request of HTTP/1.1 on each."""
    batch = max(1, round(each_second / 100))
    return h2load(proxy, visit, cpus, count / each_second + 15, "--h1", "--clients", count, "--requests", count,
                  "--rate", batch, "--rate-period", "10ms")


def h2load(proxy, visit, cpus, deadline, *arguments):
    with tempfile.TemporaryDirectory(prefix="comparison-") as directory:
        log = pathlib.Path(directory, "log")
        command = ["h2load", "--threads", 1, "--tls13-ciphers", SUITE, "--log-file", log, *arguments,
                   "--connect-to", f"127.0.0.1:{proxy.tls_port}", *fields(visit, without="Host"), f"https://{SITE}/"]
        text = stage.run(command, cpus, deadline)
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    check_h2load(proxy, text)
    answered = [int(row[2]) / 1000 for row in rows if row[1] == "200"]
    found = re.search(r"^finished in ([\d.]+)(s|ms), ", text, re.MULTILINE)
    if not answered or len(answered) < len(rows) - abandoned(text) or not found:
        raise Failure(f"{proxy.name} fails under load: {len(answered)} of {len(rows)} answers are good\n{text}")
    elapsed = float(found[1]) / (1000 if found[2] == "ms" else 1)
    percentiles = statistics.quantiles(answered, n=100)
    return {
        "requests": len(answered),
        "requests_per_second": len(answered) / elapsed,
        "p50_ms": percentiles[49],
        "p99_ms": percentiles[98],
    }


def check_h2load(proxy, text):
    if "TLS Protocol: TLSv1.3" not in text or f"Cipher: {SUITE}" not in text:
        raise Failure(f"{proxy.name} does not agree on TLS 1.3 with {SUITE}:\n{text}")


def abandoned(text):
    """Requests that were under way when the time was over."""
    started, done = re.search(r"(\d+) started, (\d+) done", text).groups()
    return int(started) - int(done)


def pace(bench, proxy, cpus, rate, seconds, connections=64):
    """An open loop over HTTP/1.1, or with rate 0 a closed one: see tools/pace.rs."""
    command = [bench.pace, f"127.0.0.1:{proxy.port}", rate, seconds, connections]
    return json.loads(stage.run(command, cpus, seconds + 15, input=bench.visit.request("/")))


def fields(visit, without=None):
    return [argument for name, value in visit.headers.items() if name != without for argument in ("-H", f"{name}: {value}")]
