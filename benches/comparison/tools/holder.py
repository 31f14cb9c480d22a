"""Connections that stay open and do nothing.

    holder.py PORT clear|tls COUNT REQUEST

Opens COUNT connections one after the other, makes on each the request that the file REQUEST holds, and says `open COUNT`.
Then it answers each line of its standard input: `alive` with how many are still open, `sample` with how many of a hundred
among them answer another request.
"""

import pathlib
import re
import select
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from delivery import tls_context  # noqa: E402: it lies beside this folder
from visit import SITE  # noqa: E402

DEADLINE_SECONDS = 10
SAMPLE = 100


def main(port, kind, count, request):
    request = pathlib.Path(request).read_bytes()
    context = tls_context() if kind == "tls" else None
    connections = [connect(int(port), context, request) for _ in range(int(count))]
    print("open", len(connections), flush=True)
    answers = {"alive": alive, "sample": lambda all_: sample(all_, request)}
    for line in sys.stdin:
        print(line.strip(), answers[line.strip()](connections), flush=True)


def connect(port, context, request):
    connection = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        connection = context.wrap_socket(connection, server_hostname=SITE)
    exchange(connection, request)
    return connection


def exchange(connection, request):
    connection.sendall(request)
    answer = b""
    while (length := answer_length(answer)) is None or len(answer) < length:
        more = connection.recv(16384)
        if not more:
            sys.exit("a connection was closed")
        answer += more


def answer_length(answer):
    head, blank, _ = answer.partition(b"\r\n\r\n")
    if not blank:
        return None
    if b" 200 " not in head[:16]:
        sys.exit(f"an answer is not 200: {head[:100]}")
    return len(head) + 4 + int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])


def alive(connections):
    """How many the other side has not closed."""
    gone = select.poll()
    for connection in connections:
        gone.register(connection, select.POLLRDHUP)
    return len(connections) - len(gone.poll(0))


def sample(connections, request):
    chosen = connections[::max(1, len(connections) // SAMPLE)][:SAMPLE]
    for connection in chosen:
        exchange(connection, request)
    return len(chosen)


if __name__ == "__main__":
    main(*sys.argv[1:])
