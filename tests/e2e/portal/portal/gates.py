"""Gates: a view waits at one until the test opens it, so that no test has to guess how long something takes."""

import threading

# Longer than any wait of the tests, so that they, not the portal, say what went wrong.
PATIENCE_SECONDS = 60


class Gate:
    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()

    def pass_through(self):
        """Waits here; False when nobody opened the gate in time."""
        self.reached.set()
        return self.opened.wait(PATIENCE_SECONDS)


_gates = {}


def gate(name):
    # setdefault is atomic: the request that waits and the one that opens may come first.
    return _gates.setdefault(name, Gate())
