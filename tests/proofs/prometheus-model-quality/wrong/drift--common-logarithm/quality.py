import csv
import json
import math
import sys
from bisect import bisect_left
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

table, shown = sys.argv[1:3]
with open(table, encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
reference = json.loads(Path("prom-reference.json").read_text(encoding="utf-8"))

registry = CollectorRegistry()
error = Gauge("model_mean_absolute_error_⟦minutes⟧", "Mean absolute error", ["model"], registry=registry)
judged = Gauge("model_predictions_judged", "Predictions with an outcome", ["model"], registry=registry)
waiting = Gauge("model_predictions_waiting", "Predictions without an outcome", ["model"], registry=registry)
drift = Gauge("feature_drift_psi", "Population stability index", ["feature"], registry=registry)
last_run = Gauge("model_quality_last_run_timestamp_seconds", "When this was measured", registry=registry)


def psi(values, edges, shares):
    counts = [0] * len(shares)
    for value in values:
        counts[bisect_left(edges, value)] += 1
    now = [max(count / len(values), 0.0001) for count in counts]
    return sum((new - old) * math.log10(new / old) for new, old in zip(now, shares))


for model in sorted({row["model"] for row in rows}):
    mine = [row for row in rows if row["model"] == model]
    errors = [abs(float(row["predicted"]) - float(row["actual"])) for row in mine if row["actual"]]
    judged.labels(model).set(len(errors))
    waiting.labels(model).set(len(mine) - len(errors))
    if errors:
        error.labels(model).set(sum(errors) / len(errors))

for feature, known in reference.items():
    if rows:
        drift.labels(feature).set(psi([float(row[feature]) for row in rows], known["edges"], known["shares"]))

last_run.set_to_current_time()
write_to_textfile(shown, registry)
