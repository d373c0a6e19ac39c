#!/usr/bin/env python3
"""Answers like Prometheus as far as a Compose stack needs it: it wants its configuration, scrapes, and lists its targets."""

import json
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TARGETS = json.loads(Path("/stand-ins/targets.json").read_text(encoding="utf-8"))
health = dict.fromkeys(TARGETS, "unknown")
config = "prometheus.yml"
for word, after in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
    if word == "--config.file":
        config = after
    elif word.startswith("--config.file="):
        config = word.partition("=")[2]
if not Path(config).is_file():
    sys.exit(f"Error loading config (--config.file={config}): open {config}: no such file or directory")


def scrape() -> None:
    while True:
        for target in TARGETS:
            try:
                with urllib.request.urlopen(f"http://{target}/metrics", timeout=2) as reply:
                    health[target] = "up" if reply.status == 200 else "down"
            except OSError:
                health[target] = "down"
        time.sleep(1)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        active = [{"scrapeUrl": f"http://{target}/metrics", "health": state} for target, state in health.items()]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"status": "success", "data": {"activeTargets": active}}).encode())


threading.Thread(target=scrape, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", 9090), Handler).serve_forever()
