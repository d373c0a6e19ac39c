import os
import sys
import time

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway

from prom_retrain import retrain

GATEWAY = os.environ.get("PUSHGATEWAY", "127.0.0.1:⟦gateway_port⟧")


def push(**values):
    registry = CollectorRegistry()
    for name, value in values.items():
        Gauge(f"retrain_{name}", name, registry=registry).set(value)
    pushadd_to_gateway(f"http://{GATEWAY}", job="retrain", registry=registry, timeout=5)


def main():
    start = time.perf_counter()
    try:
        rows = retrain()
    except Exception as error:
        print(error, file=sys.stderr)
        push(last_run_timestamp_seconds=time.time())
        return 1
    now = int(time.time())
    push(
        last_run_timestamp_seconds=now,
        last_success_timestamp_seconds=now,
        duration_seconds=time.perf_counter() - start,
        rows=rows,
    )
    return 0


sys.exit(main())
