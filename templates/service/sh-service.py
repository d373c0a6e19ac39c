import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, mode, delay = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])


class Service(BaseHTTPRequestHandler):
    def do_GET(self):
        if mode == "hang":
            time.sleep(600)
        self.answer(500 if mode == "error" else 200, {"ok": mode != "error"})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(500 if mode == "broken" else 200, {"minutes": 31.4})

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format, *args):
        pass


time.sleep(delay)
ThreadingHTTPServer(("127.0.0.1", port), Service).serve_forever()
