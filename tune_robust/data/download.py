"""Download files with retries and checksums; a file is written completely or not at all."""

from __future__ import annotations

import hashlib
import os
import time
import urllib.request
from pathlib import Path

from tune_robust.data.progress import progress

ATTEMPTS = 3
_PAUSE_S = 2.0
_TIMEOUT_S = 30
_CHUNK = 2**18


def download(url: str, path: Path, md5: str) -> None:
    """Download ``url`` to ``path``, which is written only if the MD5 sum of the content is ``md5``.

    Raises:
        OSError: all attempts failed; the message has the reason of each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    for attempt in range(ATTEMPTS):
        time.sleep(_PAUSE_S * attempt)
        try:
            _fetch(url, path, md5)
        except OSError as error:  # the errors of urllib and sockets derive from it
            reasons.append(str(error))
        else:
            return
    given = "; ".join(dict.fromkeys(reasons))
    raise OSError(f"downloading {url} failed {ATTEMPTS} times: {given}")


def _fetch(url: str, path: Path, md5: str) -> None:
    aside, seen = path.with_name(f".{path.name}.{os.getpid()}.part"), hashlib.md5()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, open(aside, "wb") as file:
            length = int(response.headers.get("Content-Length") or 0)
            with progress(f"Downloading {path.name}", length, size=True) as advance:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    seen.update(chunk)
                    advance(len(chunk))
        if seen.hexdigest() != md5:
            raise OSError(f"the download has the MD5 sum {seen.hexdigest()}, not {md5}")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def has_md5(path: Path, md5: str) -> bool:
    """Return whether the file ``path`` exists and has this MD5 sum."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == md5
