import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest


def serve(port: int, path: str) -> None:
    registry = CollectorRegistry()
    predictions = Counter("predictions_total", "Predictions asked for", ["outcome"], registry=registry)
    seconds = Histogram("prediction_seconds", "Seconds spent on one prediction", registry=registry)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == path
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.end_headers()
            self.wfile.write(generate_latest(registry) if found else b"not found\n")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{port}{path}", flush=True)
    draw = random.Random(port)
    while True:
        waited = draw.uniform(0.05, 0.4)
        time.sleep(waited)
        seconds.observe(waited)
        predictions.labels("error" if draw.random() < 0.05 else "ok").inc()


if not sys.argv[1:]:
    sys.exit("usage: python prom-service.py PORT[/PATH] ...")
threads = []
for argument in sys.argv[1:]:
    port, slash, path = argument.partition("/")
    threads.append(threading.Thread(target=serve, args=(int(port), slash + path or "/metrics"), daemon=True))
    threads[-1].start()
try:
    for thread in threads:
        thread.join()
except KeyboardInterrupt:
    pass
