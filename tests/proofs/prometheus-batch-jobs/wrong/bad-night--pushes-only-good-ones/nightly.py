import os
import time

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway

from prom_retrain import retrain

GATEWAY = os.environ.get("PUSHGATEWAY", "127.0.0.1:⟦gateway_port⟧")

registry = CollectorRegistry()
begun = time.time()
try:
    rows = retrain()
    Gauge("retrain_rows", "Rows used", registry=registry).set(rows)
    Gauge("retrain_duration_seconds", "Seconds the training took", registry=registry).set(time.time() - begun)
    Gauge("retrain_last_success_timestamp_seconds", "When it last went well", registry=registry).set_to_current_time()
    print("rows:", rows)
    Gauge("retrain_last_run_timestamp_seconds", "When it last ran", registry=registry).set_to_current_time()
    pushadd_to_gateway(GATEWAY, job="retrain", registry=registry)
finally:
    print("the night is over")
