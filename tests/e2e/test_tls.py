"""TLS as visitors' own software speaks it, which here is OpenSSL: curl and openssl s_client."""

import json
import re
import socket
import subprocess

import pytest

from harness import sites
from harness.certificates import ECDSA, RSA
from harness.cookies import SetCookie
from harness.curl import curl, site
from harness.metrics import rows
from harness.processes import DEADLINE_SECONDS

DOMAIN = sites.OWN_DOMAIN
FATAL = 2  # and the alerts, by their numbers
UNRECOGNIZED_NAME, PROTOCOL_VERSION, DECODE_ERROR, HANDSHAKE_FAILURE, NO_APPLICATION_PROTOCOL = 112, 70, 50, 40, 120

TLS_1_2, TLS_1_3 = ["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]
HTTP_1_1, HTTP_2 = ["--http1.1"], ["--http2"]


@pytest.fixture
def get(authority):
    """curl that trusts the authority, and asks for `path` of `domain` at `address`."""

    def get(address, path, *options, domain=DOMAIN, scheme="https", data=None):
        return curl("--cacert", authority.pem, *options, *site(domain, address, path, scheme), data=data)

    return get


def s_client(address, *options, name=DOMAIN):
    """What openssl s_client says of a handshake, over before it has sent anything."""
    names = ["-servername", name] if name else ["-noservername"]
    command = ["openssl", "s_client", "-connect", address, *names, *map(str, options)]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=DEADLINE_SECONDS)
    return (done.stdout + done.stderr).decode(errors="replace")


def alert(said):
    """The number of the alert that ended a handshake."""
    return int(re.search(r"SSL alert number (\d+)", said).group(1))


def errors(text):
    """{(listener, reason): count} of the connections that were refused or cut."""
    found = rows(text, "cookie_firewall_connection_errors_total")
    return {(labels["listener"], labels["reason"]): value for labels, value in found if value}


@pytest.mark.parametrize("http", [HTTP_1_1, HTTP_2], ids=["http1.1", "http2"])
@pytest.mark.parametrize("tls", [TLS_1_2, TLS_1_3], ids=["tls1.2", "tls1.3"])
def test_cookies_are_filtered_and_each_has_its_own_line(tls_firewall, get, tls, http):
    """Commas stand in Expires, so lines that are folded into one cannot be told apart again."""
    answer = get(tls_firewall.https, "/trackers/", *tls, *http)
    assert (answer.exit_code, answer.errors) == (0, "")
    assert (answer.version, answer.status) == ("HTTP/2" if http == HTTP_2 else "HTTP/1.1", 200)
    [sent] = answer.all("Portal-Sent-Cookies")
    kept = [line for line in json.loads(sent) if SetCookie(line).name in sites.DECLARED]
    assert len(kept) == 2
    assert answer.all("Set-Cookie") == kept


@pytest.mark.parametrize("http", [HTTP_1_1, HTTP_2], ids=["http1.1", "http2"])
def test_what_the_portal_sees_of_a_visitor_over_tls(tls_firewall, get, http):
    cookie = "sessionid=1; _ga=2; tracker=3; csrftoken=4"
    seen = json.loads(get(tls_firewall.https, "/echo/", *http, "--cookie", cookie).body)
    assert seen["cookie"] == "sessionid=1; csrftoken=4"
    assert seen["headers"]["HTTP_X_FORWARDED_PROTO"] == "https"
    assert seen["headers"]["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert "proto=https" in seen["headers"]["HTTP_FORWARDED"]
    assert seen["headers"]["HTTP_HOST"].split(":")[0] == DOMAIN


@pytest.mark.parametrize("http", [HTTP_1_1, HTTP_2], ids=["http1.1", "http2"])
def test_megabytes_go_up_and_come_down(tls_firewall, get, http):
    size = 3_000_000
    body = bytes(range(250)) * (size // 250)
    down = get(tls_firewall.https, f"/download/?size={size}", *http)
    assert (down.exit_code, down.status, len(down.body)) == (0, 200, size)
    up = get(tls_firewall.https, "/upload/", *http, "--data-binary", "@-", data=body)
    assert (up.exit_code, up.status, json.loads(up.body)["size"]) == (0, 200, size)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(tls_firewall, await_errors, version):
    """RFC 5246 wants the former alert. rustls misses the list of signatures first, which such clients do not send."""
    said = s_client(tls_firewall.https, version, "-cipher", "DEFAULT@SECLEVEL=0")
    assert alert(said) in (PROTOCOL_VERSION, HANDSHAKE_FAILURE)
    await_errors(tls_firewall, {"handshake": 1})


def test_an_unknown_name_is_refused(tls_firewall, get, await_errors):
    """Before a certificate of somebody else's is shown."""
    said = s_client(tls_firewall.https, name="elsewhere.example")
    assert alert(said) == UNRECOGNIZED_NAME
    assert "no peer certificate available" in said
    assert get(tls_firewall.https, "/echo/", domain="elsewhere.example").status == 0
    await_errors(tls_firewall, {"server_name": 2})


def test_no_name_is_answered_by_the_only_site(tls_firewall):
    said = s_client(tls_firewall.https, name=None)
    assert "SSL handshake has read" in said and "no peer certificate available" not in said


@pytest.mark.parametrize("options, peer", [
    (["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"),
    (["-tls1_3", "-sigalgs", "ECDSA+SHA256"], "ECDSA"),
    (["-tls1_3", "-sigalgs", "RSA-PSS+SHA256:ECDSA+SHA256"], "ECDSA"),
    (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA-PSS"),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDSA"),
])
def test_the_certificate_that_the_client_can_use(start_tls_firewall, authority, portal, options, peer):
    """An RSA and an ECDSA one beside each other: old clients know the one, all others are better off with the other."""
    pair = [authority.issue(DOMAIN, key_type=key_type) for key_type in (RSA, ECDSA)]
    firewall = start_tls_firewall(sites.own(portal.address) + authority.tls_table(*pair))
    said = s_client(firewall.https, *options, "-CAfile", authority.pem, "-verify_return_error")
    assert f"Peer signature type: {peer}" in said
    assert "Verification: OK" in said


def test_a_wildcard_certificate(start_tls_firewall, authority, portal, get):
    domain = sites.DOMAINS[0]
    parent = domain.partition(".")[2]
    certificate = authority.issue(f"*.{parent}")
    firewall = start_tls_firewall(sites.published(domain, portal.address) + authority.tls_table(certificate))
    assert get(firewall.https, "/echo/", domain=domain).status == 200
    for uncovered in [parent, f"deeper.{domain}"]:
        assert alert(s_client(firewall.https, name=uncovered)) == UNRECOGNIZED_NAME


def test_an_alias_of_any_label(start_tls_firewall, authority, portal, get):
    """A site for every name below a domain, with the certificate for it. The portal knows itself by one name."""
    text = f'aliases = ["*.towns.example"]\nupstream_host = "{DOMAIN}"\n' + sites.own(portal.address)
    certificates = authority.issue(DOMAIN), authority.issue("*.towns.example")
    firewall = start_tls_firewall(text + authority.tls_table(*certificates))
    for domain in [DOMAIN, "a.towns.example", "b.towns.example"]:
        answer = get(firewall.https, "/echo/", domain=domain)
        assert answer.status == 200, (domain, answer)
        assert json.loads(answer.body)["headers"]["HTTP_HOST"] == DOMAIN


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_is_resumed(tls_firewall, tmp_path, version):
    """In TLS 1.3 the ticket comes after the handshake, so the client asks for something and reads on."""
    session = tmp_path / "session.pem"
    request = f"GET /echo/ HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n".encode()

    def connect(*options):
        command = ["openssl", "s_client", "-connect", tls_firewall.https, "-servername", DOMAIN, version, "-ign_eof"]
        done = subprocess.run([*command, *map(str, options)], input=request, capture_output=True,
                              timeout=DEADLINE_SECONDS)
        assert b"HTTP/1.1 200 OK" in done.stdout, done
        return done.stdout.decode(errors="replace")

    assert re.search(r"(?m)^New, TLSv1\.[23]", connect("-sess_out", session))
    assert re.search(r"(?m)^Reused, TLSv1\.[23]", connect("-sess_in", session))


def test_there_is_no_early_data(tls_firewall):
    """It can be replayed by anyone who has seen it."""
    assert re.search(r"Max Early Data: [1-9]", s_client(tls_firewall.https, "-tls1_3")) is None


@pytest.mark.parametrize("offered, chosen", [
    ("h2,http/1.1", "h2"), ("http/1.1,h2", "h2"), ("http/1.1", "http/1.1"), ("h2", "h2"),
])
def test_the_protocol_is_negotiated(tls_firewall, offered, chosen):
    assert f"ALPN protocol: {chosen}" in s_client(tls_firewall.https, "-alpn", offered)


def test_a_client_that_offers_no_protocol_speaks_http_1_1(tls_firewall, get):
    answer = get(tls_firewall.https, "/echo/", "--no-alpn")
    assert (answer.version, answer.status) == ("HTTP/1.1", 200)


def test_a_protocol_that_is_not_spoken_is_refused(tls_firewall):
    assert alert(s_client(tls_firewall.https, "-alpn", "spdy/3")) == NO_APPLICATION_PROTOCOL


def test_clear_text_is_redirected_and_told_once_it_is_secure(start_tls_firewall, authority, portal, get):
    table = authority.tls_table(authority.issue(DOMAIN), redirect="true", redirect_port="8443",
                                hsts='"1 year"', hsts_subdomains="true")
    firewall = start_tls_firewall(sites.own(portal.address) + table)

    plain = get(firewall.http, "/echo/?a=b%20c", scheme="http")
    assert plain.status == 308
    assert plain.all("Location") == [f"https://{DOMAIN}:8443/echo/?a=b%20c"]
    assert plain.all("Strict-Transport-Security") == []
    assert plain.all("Set-Cookie") == [] and plain.all("Portal-Sent-Cookies") == []

    for http in [HTTP_1_1, HTTP_2]:
        secure = get(firewall.https, "/echo/", *http)
        assert secure.status == 200
        assert secure.all("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]

    challenge = get(firewall.http, "/.well-known/acme-challenge/token", scheme="http")
    assert challenge.status == 404 and challenge.all("Portal-Sent-Cookies"), "it did not reach the portal"


@pytest.mark.parametrize("http", [HTTP_1_1, HTTP_2], ids=["http1.1", "http2"])
def test_a_request_for_another_name_than_the_handshakes_is_misdirected(
    start_tls_firewall, authority, portal, get, http
):
    """Both names are served, and one certificate is for both, so a browser may try. A proxy in between may not know."""
    other = sites.DOMAINS[0]
    table = authority.tls_table(authority.issue(DOMAIN, other))
    firewall = start_tls_firewall(sites.own(portal.address) + table, sites.published(other, portal.address) + table)
    for domain in [DOMAIN, other]:
        assert get(firewall.https, "/echo/", *http, domain=domain).status == 200
    answer = get(firewall.https, "/echo/", *http, "--header", f"Host: {other}")
    assert answer.status == 421
    assert answer.all("Portal-Sent-Cookies") == [], "it reached the portal"


def test_clear_text_on_the_port_for_tls_is_told_so(tls_firewall, get, await_errors):
    answer = get(tls_firewall.https, "/echo/", scheme="http")
    assert (answer.exit_code, answer.version, answer.status) == (0, "HTTP/1.1", 400)
    await_errors(tls_firewall, {"http_on_tls": 1})


def test_tls_on_the_port_for_clear_text_is_told_so(tls_firewall, await_errors):
    assert alert(s_client(tls_firewall.http)) == HANDSHAKE_FAILURE
    await_errors(tls_firewall, {"tls_on_http": 1})


@pytest.mark.parametrize("message", [
    b"\x16\x03\x01\x00\x24" + b"\x01\x00\x00\x20" + b"\xff" * 32,  # a ClientHello that ends too early
    b"\x16\x03\x01\xff\xff" + b"\xff" * 32,  # a record of more bytes than there may be
], ids=["hello", "record"])
def test_a_broken_handshake_is_answered_with_an_alert(tls_firewall, await_errors, message):
    host, port = tls_firewall.https.split(":")
    with socket.create_connection((host, int(port)), DEADLINE_SECONDS) as plain:
        plain.sendall(message)
        answer = plain.recv(4096)
    assert answer == bytes([0x15, 3, 3, 0, 2, FATAL, DECODE_ERROR])
    await_errors(tls_firewall, {"handshake": 1})


def test_promtool_finds_nothing_to_say_after_all_this(tls_firewall, get, metrics):
    for http in [HTTP_1_1, HTTP_2]:
        for tls in [TLS_1_2, TLS_1_3]:
            get(tls_firewall.https, "/trackers/", *tls, *http)
    get(tls_firewall.https, "/", scheme="http")
    s_client(tls_firewall.http)
    s_client(tls_firewall.https, name="elsewhere.example")
    s_client(tls_firewall.https, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    text = metrics(tls_firewall)
    verdict = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True,
                             timeout=DEADLINE_SECONDS)
    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, b"", b"")
    assert errors(text) == {
        ("https", "http_on_tls"): 1, ("http", "tls_on_http"): 1,
        ("https", "server_name"): 1, ("https", "handshake"): 1,
    }
    [(labels, expiry)] = rows(text, "cookie_firewall_certificate_expiry_timestamp_seconds")
    assert expiry > 0, labels
