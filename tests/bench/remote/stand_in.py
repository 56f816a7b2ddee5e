#!/usr/bin/python3
"""A session in a few lines: reports its port as batchspawner's program does, then answers everything."""

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answer(BaseHTTPRequestHandler):
    """The same answer to every question."""

    def do_GET(self) -> None:
        """Answer as `/api` of a Jupyter server does."""
        body = b'{"version": "stand-in"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


server = ThreadingHTTPServer(("", 0), Answer)
report = urllib.request.Request(  # noqa: S310 - the hub's own URL
    f"{os.environ['JUPYTERHUB_API_URL']}/batchspawner",
    json.dumps({"port": server.server_port}).encode(),
    {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}", "Content-Type": "application/json"},
)
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(report, timeout=60).close()
server.serve_forever()
