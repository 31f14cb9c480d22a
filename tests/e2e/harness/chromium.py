"""Headless Chromium, driven over the DevTools protocol, and axe-core in its pages."""

import base64
import contextlib
import json
import shutil
from pathlib import Path

from websockets.sync.client import connect

from harness.processes import DEADLINE_SECONDS, Program

AXE = Path(__file__).parent.parent / ".node" / "node_modules" / "axe-core" / "axe.min.js"

# WCAG 2.2 A and AA, which the RGAA builds on, and what axe holds to be good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# A browser that asks nothing of the network but what the test asks for.
QUIET = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-quic", "--disable-gpu", "--no-sandbox"]


class Chromium(Program):
    """A browser with an empty profile, for which `domain` is at `address`, under whatever certificate."""

    def __init__(self, profile, domain, address):
        browser = shutil.which("chromium")
        assert browser, "tests/e2e/run installs Debian's package chromium"
        super().__init__([
            browser, "--headless", *QUIET, f"--user-data-dir={profile}", "--remote-debugging-port=0",
            "--ignore-certificate-errors", f"--host-resolver-rules=MAP {domain}:443 {address}", "about:blank",
        ])
        url = self.stderr.wait_for(r"DevTools listening on (ws://\S+)").group(1)
        self._open = contextlib.ExitStack()
        self._socket = self._open.enter_context(connect(url, max_size=None, open_timeout=DEADLINE_SECONDS))
        self._last, self._session, self._events = 0, None, []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")

    def close(self):
        self._open.close()
        self.process.terminate()
        self.wait()

    def goto(self, url):
        """Opens an address, and waits until the page is there."""
        return self._loading(lambda: self._call("Page.navigate", url=url))

    def click(self, selector):
        """Presses what leads to another page, and waits until that is there."""
        return self._loading(lambda: self.run(f"document.querySelector({json.dumps(selector)}).click()"))

    def tab(self):
        """The Tab key, down and up."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)

    def run(self, script):
        """The value of a script, awaited."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self):
        return self.run("document.body.innerText")

    def jar(self):
        """{name: cookie} of all that the browser keeps."""
        return {cookie["name"]: cookie for cookie in self._call("Storage.getCookies")["cookies"]}

    def set_cookie(self, **cookie):
        assert self._call("Network.setCookie", **cookie)["success"]

    def emulate(self, *, width, dark=False):
        """A window of this width, with a visitor who prefers light or dark pages."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def violations(self):
        """What axe-core finds wrong with the page: {rule: the elements}."""
        self.run(AXE.read_text())
        options = json.dumps({"runOnly": RULES})
        found = self.run(f"axe.run(document, {options}).then(result => result.violations)")
        return {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found}

    def screenshot(self, path):
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _loading(self, begin):
        self._events = []
        begin()
        while "Page.loadEventFired" not in self._events:
            self._receive()

    def _call(self, method, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while (answer := self._receive()).get("id") != self._last:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _receive(self):
        message = json.loads(self._socket.recv(timeout=DEADLINE_SECONDS))
        if "method" in message:
            self._events.append(message["method"])
        return message
