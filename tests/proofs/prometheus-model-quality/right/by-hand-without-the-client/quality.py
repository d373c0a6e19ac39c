import collections
import json
import math
import sys
import time


def shares(values, edges):
    bounds = [-math.inf, *edges, math.inf]
    inside = [sum(low < value <= high for value in values) for low, high in zip(bounds, bounds[1:])]
    return [max(0.0001, count / max(1, len(values))) for count in inside]


lines = open(sys.argv[1]).read().splitlines()
names = lines[0].split(",")
rows = [dict(zip(names, line.split(","))) for line in lines[1:]]
known, unknown = collections.defaultdict(list), collections.Counter()
for row in rows:
    if row["actual"].strip() == "":
        unknown[row["model"]] += 1
    else:
        known[row["model"]].append(abs(float(row["actual"]) - float(row["predicted"])))
out = []
for model in known.keys() | unknown.keys():
    errors = known[model]
    mean = sum(errors) / len(errors) if errors else math.nan
    out.append(f'model_mean_absolute_error_⟦minutes⟧{{model="{model}"}} {mean}')
    out.append(f'model_predictions_judged{{model="{model}"}} {len(errors)}')
    out.append(f'model_predictions_waiting{{model="{model}"}} {unknown[model]}')
for name, entry in json.load(open("prom-reference.json")).items():
    now = shares([float(row[name]) for row in rows], entry["edges"])
    value = sum((n - r) * (math.log(n) - math.log(r)) for n, r in zip(now, entry["shares"]))
    out.append(f'feature_drift_psi{{feature="{name}",model="all"}} {value}')
out.append(f"model_quality_last_run_timestamp_seconds {time.time()}")
with open(sys.argv[2], "w") as file:
    file.write("\n".join(sorted(out)) + "\n")
