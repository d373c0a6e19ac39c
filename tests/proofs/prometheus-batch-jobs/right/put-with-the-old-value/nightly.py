import os
import time
import urllib.request

from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
from prometheus_client.parser import text_string_to_metric_families

from prom_retrain import retrain

GATEWAY = os.environ.get("PUSHGATEWAY", "127.0.0.1:⟦gateway_port⟧")
NAMES = ["retrain_last_success_timestamp_seconds", "retrain_duration_seconds", "retrain_rows"]


def before():
    text = urllib.request.urlopen(f"http://{GATEWAY}/metrics").read().decode()
    families = text_string_to_metric_families(text)
    return {s.name: s.value for family in families for s in family.samples if s.name in NAMES and s.labels.get("job") == "retrain"}


values = before()
begun = time.time()
try:
    values["retrain_rows"] = retrain()
    values["retrain_duration_seconds"] = time.time() - begun
    values["retrain_last_success_timestamp_seconds"] = time.time()
finally:
    values["retrain_last_run_timestamp_seconds"] = time.time()
    registry = CollectorRegistry()
    for name, value in values.items():
        Gauge(name, name, registry=registry).set(value)
    push_to_gateway(GATEWAY, job="retrain", registry=registry)
