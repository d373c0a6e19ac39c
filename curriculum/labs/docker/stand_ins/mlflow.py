#!/usr/bin/env python3
"""Answers like `mlflow server` as far as a Compose stack needs it: /health, and experiments that are kept in a file."""

import json
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import environ
from urllib.parse import parse_qs, urlsplit


def option(name: str, default: str) -> str:
    for word, after in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
        if word == name:
            return after
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return default


STORE = option("--backend-store-uri", environ.get("MLFLOW_BACKEND_STORE_URI", "sqlite:///mlflow.db"))
if not STORE.startswith("sqlite:///"):
    sys.exit(f"this stand-in keeps experiments in sqlite only: {STORE}")
DATABASE = STORE.removeprefix("sqlite:///")


def ask(statement: str, *values: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(DATABASE) as database:
        return database.execute(statement, values).fetchall()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path.endswith("/experiments/get-by-name"):
            name = parse_qs(address.query).get("experiment_name", [""])[0]
            rows = ask("SELECT name FROM experiments WHERE name = ?", name)
            self.reply(
                200 if rows else 404,
                {"experiment": {"name": name}} if rows else {"error_code": "RESOURCE_DOES_NOT_EXIST"},
            )
        else:
            self.reply(200, {})

    def do_POST(self) -> None:
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ask("INSERT OR REPLACE INTO experiments VALUES (?)", data["name"])
        self.reply(200, {"experiment_id": "1"})

    def reply(self, status: int, data: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(data).encode())


ask("CREATE TABLE IF NOT EXISTS experiments (name TEXT PRIMARY KEY)")
host, port = (
    option("--host", environ.get("MLFLOW_HOST", "127.0.0.1")),
    option("--port", environ.get("MLFLOW_PORT", "5000")),
)
ThreadingHTTPServer((option("-h", host), int(option("-p", port))), Handler).serve_forever()
