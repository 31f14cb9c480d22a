"""Whether a proxy does what its figures are said to be of: filters exactly, or passes everything on, byte for byte."""

import http.client
import re
import socket
import ssl
import subprocess

from terminal import Failure
from visit import BODY, LARGE_BODY, SITE


def check(proxy, visit):
    """Over HTTP/1.1, in clear text and TLS 1.3, and over HTTP/2, as far as the proxy was given them to serve."""
    expected = visit.allowed_set_cookies() if proxy.filters else visit.set_cookies
    cookies = "; ".join(visit.allowed_pairs) if proxy.filters else visit.headers["Cookie"]
    transports = [("HTTP/1.1", http1)] + ([("TLS", https), ("HTTP/2", http2)] if proxy.tls_port else [])
    for transport, get in transports:
        lines, body = get(proxy, "/", visit)
        demand(proxy, transport, "page", body, BODY)
        demand(proxy, transport, "Set-Cookie", "\n".join(lines), "\n".join(expected))
        demand(proxy, transport, "Cookie", get(proxy, "/cookies", visit)[1], cookies)


def check_large(proxy, visit):
    demand(proxy, "HTTP/1.1", "large page", http1(proxy, "/large", visit)[1], "x" * LARGE_BODY)


def demand(proxy, transport, what, found, expected):
    if found != expected:
        raise Failure(f"{proxy.name} over {transport} delivers as {what}\n{found[:2000]}\nwhere expected is\n{expected[:2000]}")


def http1(proxy, path, visit):
    return exchange(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5), proxy, path, visit)


def https(proxy, path, visit):
    connection = http.client.HTTPSConnection("127.0.0.1", proxy.tls_port, timeout=5)
    try:
        connection.sock = tls_socket(proxy.tls_port)
    except OSError as error:
        raise Failure(f"{proxy.name} shakes no hands: {error!r}") from None
    return exchange(connection, proxy, path, visit)


def tls_socket(port):
    """TLS 1.3 or nothing, and HTTP/1.1 in it."""
    return tls_context().wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname=SITE)


def tls_context():
    """What the proxy's certificate says does not matter here, only that it costs what it costs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context


def exchange(connection, proxy, path, visit):
    try:
        connection.request("GET", path, headers=visit.headers)
        answer = connection.getresponse()
        lines, body = answer.headers.get_all("Set-Cookie", []), answer.read().decode("latin-1")
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{proxy.name} does not answer: {error!r}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Failure(f"{proxy.name} answers {answer.status} for {path}")
    return lines, body


def http2(proxy, path, visit):
    """By nghttp, which prints each field that it receives, and the body elsewhere."""
    url = f"https://127.0.0.1:{proxy.tls_port}{path}"
    fields = nghttp("--verbose", "--null-out", *authority_and_fields(visit), url)
    if not re.search(r"recv \(stream_id=\d+\) :status: 200$", fields, re.MULTILINE):
        raise Failure(f"{proxy.name} does not answer 200 over HTTP/2:\n{fields[-2000:]}")
    lines = re.findall(r"recv \(stream_id=\d+\) set-cookie: (.*)$", fields, re.MULTILINE)
    return lines, nghttp(*authority_and_fields(visit), url)


def authority_and_fields(visit):
    fields = {":authority" if name == "Host" else name.lower(): value for name, value in visit.headers.items()}
    return [argument for name, value in fields.items() for argument in ("-H", f"{name}: {value}")]


def nghttp(*arguments):
    command = ["nghttp", "--no-verify-peer", *arguments]
    try:
        answer = subprocess.run(command, timeout=10, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise Failure("nghttp gets no answer") from None
    return answer.stdout
