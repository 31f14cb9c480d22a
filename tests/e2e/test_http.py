"""A proxy like another: framing, headers, connections, errors."""

import hashlib
import socket

import pytest

from harness import sites
from harness.processes import DEADLINE_SECONDS

FIVE_MEGABYTES = 5 * 1024 * 1024


def body_of(size):
    return bytes(range(256)) * (size // 256)


def test_an_unknown_host_is_misdirected(visit, firewall):
    response = visit(firewall.http, "elsewhere.example").get("/echo/")
    assert response.status == 421
    assert response.headers["Portal-Sent-Cookies"] is None, "it reached the portal"


def test_each_host_has_its_own_charter(start_firewall, portal, visit):
    domain = sites.DOMAINS[0]
    firewall = start_firewall(sites.own(portal.address), sites.published(domain, portal.address))
    consent = sites.consent_cookie(matomo=True, ga=True)
    cookie = f"_pk_id.1.1fff=1; {consent}"
    assert visit(firewall.http, sites.OWN_DOMAIN).echo(cookie=cookie)["cookie"] == cookie
    assert visit(firewall.http, domain).echo(cookie=cookie)["cookie"] == consent


def test_an_upstream_that_is_down_is_a_bad_gateway(start_firewall, closed_address, visit):
    firewall = start_firewall(sites.own(closed_address))
    response = visit(firewall.http).get("/echo/", cookie="sessionid=SECRET")
    assert response.status == 502
    assert 0 < len(response.body) < 4096
    assert response.set_cookies == []
    page = str(response.headers) + response.text
    for private in [closed_address, closed_address.split(":")[1], "SECRET"]:
        assert private not in page


def test_the_portal_sees_the_sites_own_host_and_who_asked(visitor):
    seen = visitor.echo()["headers"]
    assert seen["HTTP_HOST"] == sites.OWN_DOMAIN
    assert seen["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert seen["HTTP_X_FORWARDED_PROTO"] == "http"
    assert seen["HTTP_X_FORWARDED_HOST"] == sites.OWN_DOMAIN
    assert seen["HTTP_FORWARDED"] == f'for=127.0.0.1;proto=http;host="{sites.OWN_DOMAIN}"'
    assert seen["HTTP_VIA"].startswith("1.1 ")


def test_a_visitor_is_not_believed_about_itself(visitor):
    claims = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=192.0.2.1")]
    honest, claimed = visitor.echo()["headers"], visitor.echo(headers=claims)["headers"]
    assert claimed == honest


def test_headers_for_one_hop_go_one_hop(visitor):
    headers = [("Connection", "X-Hop"), ("X-Hop", "1"), ("X-End", "2"), ("Keep-Alive", "timeout=5")]
    seen = visitor.echo(headers=headers)["headers"]
    assert "HTTP_X_HOP" not in seen and "HTTP_KEEP_ALIVE" not in seen
    assert seen["HTTP_X_END"] == "2"


def test_the_path_and_query_arrive_as_sent(visitor):
    path = "/echo/?q=%E9%20+a&b=c%2Fd&&=;x"
    assert visitor.get(path).json()["path"] == path


def test_several_cookie_lines_are_one_to_the_portal(visitor):
    lines = ["sessionid=1; _ga=2", "csrftoken=3", "nameless", "django_language=fr"]
    assert visitor.echo(cookie=lines)["cookie"] == "sessionid=1; csrftoken=3; django_language=fr"


def test_the_obsolete_cookie2_goes_no_further(visitor):
    assert "HTTP_COOKIE2" not in visitor.echo(headers=[("Cookie2", '$Version="1"')])["headers"]


@pytest.mark.parametrize("path", ["/download/?size=1000&length=1", "/download/?size=1000", "/trackers/404/"])
def test_head_has_the_headers_and_no_body(visitor, path):
    full, head = visitor.get(path), visitor.request("HEAD", path)
    assert (head.status, head.body) == (full.status, b"")
    assert head.headers["Content-Type"] == full.headers["Content-Type"]
    assert len(head.set_cookies) == len(full.set_cookies)
    assert head.headers["Content-Length"] == full.headers["Content-Length"]
    assert visitor.echo()["method"] == "GET", "the connection is out of step after HEAD"


@pytest.mark.parametrize("pieces", [[b"x"], [b"ab" * 40_000] * 3, []], ids=["small", "large", "empty"])
def test_a_chunked_upload_arrives_whole(visitor, pieces):
    seen = visitor.request("POST", "/upload/", iter(pieces)).json()
    assert seen["size"] == sum(map(len, pieces))
    assert seen["sha256"] == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_five_megabytes_go_up(visitor):
    body = body_of(FIVE_MEGABYTES)
    seen = visitor.request("POST", "/upload/", body).json()
    assert (seen["size"], seen["content_length"]) == (len(body), str(len(body)))
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("path", [f"/download/?size={FIVE_MEGABYTES}&length=1", f"/download/?size={FIVE_MEGABYTES}"],
                         ids=["length", "chunked"])
def test_five_megabytes_come_down(visitor, path):
    response = visitor.get(path)
    assert response.body == body_of(FIVE_MEGABYTES)
    assert response.headers["Content-Length"] == (str(FIVE_MEGABYTES) if "length" in path else None)


def test_a_response_streams(visitor, visit, portal):
    """What the portal has sent reaches the visitor while the portal still works on the rest."""
    visitor.send("GET", "/gate/streaming/stream/")
    answer = visitor.connection.getresponse()
    assert answer.readline() == b"before the gate\n"
    visit(portal.address).get("/gate/streaming/open/")
    assert answer.read() == b"after the gate\n"


def test_connections_are_kept_on_both_sides(visitor):
    first = visitor.echo()
    connection = visitor.connection.sock
    ports = [first["peer_port"]] + [visitor.echo()["peer_port"] for _ in range(9)]
    assert connection is not None and visitor.connection.sock is connection
    # A pool may be a moment late once, but it does not open a connection for every request.
    assert len(set(ports)) < len(ports)


def test_http_1_0_is_answered_and_closed(firewall):
    host, port = firewall.http.split(":")
    with socket.create_connection((host, int(port)), DEADLINE_SECONDS) as plain:
        plain.sendall(f"GET /download/?size=300 HTTP/1.0\r\nHost: {sites.OWN_DOMAIN}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: plain.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0].endswith(b"200 OK")
    assert b"transfer-encoding" not in head.lower()
    assert len(body) == 300


def test_an_ambiguous_length_is_refused(firewall):
    """Two framings of one body are how requests are smuggled past a proxy."""
    host, port = firewall.http.split(":")
    request = (
        f"POST /upload/ HTTP/1.1\r\nHost: {sites.OWN_DOMAIN}\r\n"
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
    )
    with socket.create_connection((host, int(port)), DEADLINE_SECONDS) as plain:
        plain.sendall(request.encode())
        assert plain.recv(65_536).split(b"\r\n")[0] == b"HTTP/1.1 400 Bad Request"
