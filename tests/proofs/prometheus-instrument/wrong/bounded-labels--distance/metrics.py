import json
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, write_to_textfile

MODEL = json.loads(Path("model.json").read_text(encoding="utf-8"))
REQUESTS = [
    {"id": "r-1001", "⟦distance_km⟧": 3.2, "hour": 9, "⟦rain⟧": True, "⟦stops⟧": 2, "wait": 0.02},
    {"id": "r-1002", "⟦distance_km⟧": 7.5, "hour": 10, "⟦rain⟧": False, "⟦stops⟧": 1, "wait": 0.01},
    {"id": "r-1003", "⟦distance_km⟧": -4.0, "hour": 10, "⟦rain⟧": False, "⟦stops⟧": 3, "wait": 0.01},
    {"id": "r-1004", "⟦distance_km⟧": 1.1, "hour": 11, "⟦rain⟧": False, "⟦stops⟧": 4, "wait": 0.03},
    {"id": "r-1005", "⟦distance_km⟧": 12.0, "hour": 12, "⟦rain⟧": True, "⟦stops⟧": 6, "wait": 0.45},
    {"id": "r-1006", "⟦distance_km⟧": 5.4, "hour": 13, "⟦rain⟧": False, "⟦stops⟧": 2, "wait": 0.02},
    {"id": "r-1007", "⟦distance_km⟧": 9.9, "hour": 15, "⟦rain⟧": True, "⟦stops⟧": 3, "wait": 0.12},
    {"id": "r-1008", "⟦distance_km⟧": 480.0, "hour": 16, "⟦rain⟧": False, "⟦stops⟧": 1, "wait": 0.01},
    {"id": "r-1009", "⟦distance_km⟧": 2.7, "hour": 18, "⟦rain⟧": False, "⟦stops⟧": 5, "wait": 0.02},
    {"id": "r-1010", "⟦distance_km⟧": 6.3, "hour": 19, "⟦rain⟧": True, "⟦stops⟧": 2, "wait": 0.01},
]

registry = CollectorRegistry()
PREDICTIONS = Counter("predictions_total", "Predictions asked for", ["outcome", "⟦distance_km⟧"], registry=registry)
SECONDS = Histogram("prediction_seconds", "Seconds spent on one prediction", buckets=[0.05, 0.1, ⟦budget⟧, 0.5, 1], registry=registry)


def predict(request):
    if not 0 <= request["⟦distance_km⟧"] <= 100:
        raise ValueError("⟦distance_km⟧ must be between 0 and 100")
    time.sleep(request["wait"])
    weights = MODEL["weights"]
    return MODEL["bias"] + sum(weights[name] * float(request[name]) for name in weights)


for request in REQUESTS:
    outcome = "ok"
    try:
        with SECONDS.time():
            answer = predict(request)
        print(request["id"], round(answer, 1))
    except ValueError as error:
        outcome = "error"
        print(request["id"], error)
    PREDICTIONS.labels(outcome=outcome, ⟦distance_km⟧=request["⟦distance_km⟧"]).inc()

write_to_textfile("metrics.prom", registry)
