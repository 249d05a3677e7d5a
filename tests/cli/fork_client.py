"""Has a process of Ray's, or a command, forked in place of starting an interpreter.

    python -IS fork_client.py ADDRESS ARGUMENT...

It ends when that one does. Without the site's packages, this starts in hundredths of a second.
"""

import json
import os
import socket
import sys

LARGEST = 1 << 18
"""Bytes of a request, nearly all of them the environment."""


def ask(address: str, request: dict | None, files: list[int]) -> socket.socket:
    """Send a request to tests/cli/fork_server.py; its answers come from the returned socket."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        server.connect(f"\0{address}")
        socket.send_fds(server, [json.dumps(request).encode()], files)
    except OSError:
        server.close()
        raise
    return server


if __name__ == "__main__":
    address, *arguments = sys.argv[1:]
    request = {"arguments": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}
    with ask(address, request, [0, 1, 2]) as server:
        server.recv(LARGEST)
        sys.exit(abs(int(server.recv(LARGEST) or -9)))
