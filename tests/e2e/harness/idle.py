"""Connections that stay open and do nothing: one process's part of them.

    python -m harness.idle ADDRESS SOURCE COUNT tls|clear

Opens COUNT connections from the address SOURCE, makes one request on each and says `open COUNT`. Then
it does what each line on its standard input says: `alive` says how many are still open, `sample COUNT`
makes another request on so many of them and says how many of these were answered.
"""

import resource
import select
import socket
import sys

from harness.load import DEADLINE_SECONDS, DOMAIN, read_answer, split, trusting_context

REQUEST = f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode()


def exchange(connection):
    """One request and its answer; whether the connection may be kept."""
    connection.sendall(REQUEST)
    with connection.makefile("rb") as answer:
        return not read_answer(answer)


def connect(address, source, context):
    plain = socket.create_connection(address, DEADLINE_SECONDS, source_address=(source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = plain if context is None else context.wrap_socket(plain, server_hostname=DOMAIN)
    assert exchange(connection), "told to close after one request"
    return connection


def alive(connections):
    """How many the other side has not closed."""
    gone = select.poll()
    for connection in connections:
        gone.register(connection, select.POLLRDHUP)
    return len(connections) - len(gone.poll(0))


def sample(connections, count):
    return sum(exchange(connection) for connection in connections[::len(connections) // count][:count])


def main(address, source, count, kind):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = trusting_context() if kind == "tls" else None
    connections = [connect(split(address), source, context) for _ in range(int(count))]
    print("open", len(connections), flush=True)
    for line in sys.stdin:
        word, *arguments = line.split()
        said = sample(connections, int(*arguments)) if word == "sample" else alive(connections)
        print(word, said, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
