"""Chromium without a window, driven over a pair of pipes by the DevTools protocol."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PATIENCE = 60
"""Seconds until an answer counts as missing."""


class Browser:
    """One tab; what it logs and asks the network for is kept."""

    def __init__(self, write: int, read: int):
        self._write, self._read = write, read
        self._buffer = b""
        self._ids = itertools.count(1)
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """The result of a command."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def open(
        self, path: pathlib.Path, hash: str = "", width: int = 1400, height: int = 900
    ) -> None:
        """Load a file anew and wait until it has painted."""
        self.call("Page.navigate", url="about:blank")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.complaints.clear()
        self.requests.clear()
        self.call("Page.navigate", url=path.resolve().as_uri() + (f"#{hash}" if hash else ""))
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        # A page has scripts that are unpacked once it is there.
        self.wait("window.gdlab !== undefined || !document.querySelector('main')")
        self.frames(2)

    def prefer(self, **features: str) -> None:
        """What the reader asks for: ``prefers_color_scheme="dark"``."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=listed)

    def run(self, expression: str) -> Any:
        """The value of some JavaScript, awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError):  # a page that is about to go
                if self.run(condition):
                    return
            time.sleep(0.02)
        raise TimeoutError(condition)

    def frames(self, count: int) -> None:
        self.run(
            f"new Promise((done) => {{ let left = {count};"
            "const next = () => (left-- ? requestAnimationFrame(next) : done()); next(); })"
        )

    def key(self, key: str, code: str = "", **more: Any) -> None:
        text = key if len(key) == 1 else ""
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "code": code, **more}
            self.call("Input.dispatchKeyEvent", **event, **({"text": text} if text else {}))

    def mouse(self, kind: str, x: float, y: float, buttons: int = 1) -> None:
        button = "left" if buttons else "none"
        self.call(
            "Input.dispatchMouseEvent",
            type=kind, x=x, y=y, button=button, buttons=buttons, clickCount=1,
        )  # fmt: skip

    def screenshot(self, path: pathlib.Path, full: bool = True) -> bytes:
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=full)
        data = base64.b64decode(answer["data"])
        path.write_bytes(data)
        return data

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], PATIENCE)[0]:
                raise TimeoutError("the browser does not answer")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser has gone")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", str(details)))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser that is closed afterwards."""
    assert CHROMIUM is not None
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The protocol is spoken on the descriptors 3 and 4.
        command = (
            f'exec "$0" --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run '
            f'--remote-debugging-pipe --user-data-dir="{profile}" '
            f"about:blank 3<&{to_read} 4>&{from_write} 2>/dev/null"
        )
        process = subprocess.Popen(
            ["/bin/bash", "-c", command, CHROMIUM], pass_fds=(to_read, from_write)
        )
        os.close(to_read)
        os.close(from_write)
        try:
            yield Browser(to_write, from_read)
        finally:
            os.close(to_write)
            os.close(from_read)
            process.terminate()
            process.wait(timeout=PATIENCE)
