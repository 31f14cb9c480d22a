"""SIGTERM: nothing new is taken on, and what was begun is completed."""

import socket
import time

from harness.processes import DEADLINE_SECONDS


def wait_until_refused(address):
    """Returns once nobody accepts connections at `address` any more."""
    host, port = address.split(":")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), DEADLINE_SECONDS).close()
        except ConnectionResetError:
            continue  # the listener was closed with this connection in its queue
        except ConnectionRefusedError:
            return
    raise AssertionError(f"{address} still accepts connections")


def test_a_request_that_waits_for_its_response_is_completed(firewall, visitor, visit, portal):
    direct = visit(portal.address)
    visitor.send("GET", "/gate/drain-head/wait/")
    assert direct.get("/gate/drain-head/arrived/").status == 200

    firewall.terminate()
    wait_until_refused(firewall.http)
    direct.get("/gate/drain-head/open/")

    assert visitor.receive().text == "through the gate"
    assert firewall.wait() == 0


def test_a_response_that_is_half_sent_is_completed(firewall, visitor, visit, portal):
    visitor.send("GET", "/gate/drain-body/stream/")
    answer = visitor.connection.getresponse()
    assert answer.readline() == b"before the gate\n"

    firewall.terminate()
    wait_until_refused(firewall.http)
    visit(portal.address).get("/gate/drain-body/open/")

    assert answer.read() == b"after the gate\n"
    assert firewall.wait() == 0


def test_an_idle_connection_does_not_hold_it_up(firewall, visitor):
    visitor.echo()
    firewall.terminate()
    assert firewall.wait() == 0
