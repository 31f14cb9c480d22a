"""What the person at the terminal is told: failures, progress, and how long it will go on."""

import sys
import time


class Failure(Exception):
    """Something that the person at the terminal has to know; printed without a traceback."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Which step of which experiment is done, and when all will be: by the plan, and by how well the plan held so far."""

    def __init__(self, plan):
        self.plan = plan  # seconds by the name of the experiment, in their order
        self.past = []
        self.current = None
        self.start = time.monotonic()

    def begin(self, name, title):
        if self.current:
            self.past.append(self.current)
        self.current = name
        say(f"\n{name} ({len(self.past) + 1} of {len(self.plan)}): {title}")

    def step(self, done, of, text):
        say(f"{self.current:<10} {done:>3}/{of:<3} {text}   {self.left(done / of)}")

    def left(self, share):
        done = sum(self.plan[name] for name in self.past) + share * self.plan[self.current]
        total = sum(self.plan.values())
        # The plan's own word counts as much as ten seconds of experience.
        pace = (time.monotonic() - self.start + 10) / (done + 10)
        minutes, seconds = divmod(round((total - done) * pace), 60)
        return f"[{minutes}:{seconds:02} left]"
