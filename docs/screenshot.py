"""A page of Ray's dashboard as a picture, or as text: Chromium without a screen, with the token.

python docs/screenshot.py 'http://127.0.0.1:8265/#/actors' actors.png --shows 't00'
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COOKIE = "ray-authentication-token"  # where the dashboard itself keeps it, once typed in


class Browser:
    """A Chromium under the DevTools protocol, by two pipes that nobody else can write to."""

    def __init__(self, profile: str, size: str):
        names = ("chromium", "chromium-browser", "google-chrome", "chrome")
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            sys.exit(f"No Chromium here: looked for {', '.join(names)}.")
        options = [f"--window-size={size}", f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # which root cannot have
        (read, self._write), (self._read, write) = os.pipe(), os.pipe()

        def as_three_and_four() -> None:
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [found, "--headless", "--disable-gpu", *sandbox, *options, "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=as_three_and_four,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._answers = os.fdopen(self._read, "rb")
        self._ids, self._session = itertools.count(1), {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command; what else Chromium tells meanwhile is dropped."""
        number = next(self._ids)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(command).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            pass
        if "error" in answer:
            sys.exit(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def text(self) -> str:
        """What the page shows."""
        shown = self.call("Runtime.evaluate", expression="document.body.innerText")
        return shown["result"].get("value", "")

    def _next(self) -> dict[str, Any]:
        read = iter(lambda: self._answers.read(1), b"\0")
        message = b"".join(itertools.takewhile(bool, read))
        if not message:
            sys.exit("Chromium ended before its time.")
        return json.loads(message)


def token() -> str:
    """Ray's, from where Ray takes it."""
    path = os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")
    return os.environ.get("RAY_AUTH_TOKEN") or Path(path).expanduser().read_text().strip()


def main() -> None:
    """Wait until the page shows a text, then keep what it shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("out", type=Path, nargs="+", help="a .png, or a .txt for the page's text")
    parser.add_argument("--shows", default="", help="wait for this text")
    parser.add_argument("--size", default="1600,1000", help="of the window: width,height")
    parser.add_argument("--seconds", type=float, default=60, help="how long to wait")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile, asked.size)
        try:
            browser.call("Network.setCookie", name=COOKIE, value=token(), url=asked.url)
            browser.call("Page.navigate", url=asked.url)
            deadline = time.monotonic() + asked.seconds
            while not (text := browser.text()) or asked.shows not in text:
                if time.monotonic() > deadline:
                    sys.exit(f"The page does not show {asked.shows!r} but:\n{text}")
                time.sleep(0.2)
            for out in asked.out:
                if out.suffix == ".txt":
                    out.write_text(text)
                else:
                    shot = browser.call("Page.captureScreenshot")
                    out.write_bytes(base64.b64decode(shot["data"]))
        finally:
            browser.process.kill()
            browser.process.wait()


if __name__ == "__main__":
    main()
