
import json
import sys

from data import FEATURES, make

with open("capstone-ship-runs.json", encoding="utf-8") as file:
    runs = json.load(file)

allowed = []
for r in runs:
    if r["status"] != "FINISHED" or not r["model"]:
        continue
    if int(r["params"]["split"]) != 19:
        continue
    if r["metrics"].get("mae") is None:
        continue
    allowed.append(r)
if not allowed:
    sys.exit("nothing may ship")
allowed.sort(key=lambda r: r["metrics"]["mae"])
chosen = allowed[0]
weights = [chosen["model"]["weights"][f] for f in FEATURES]
X, y = make(300, ⟦check_seed⟧)
errors = []
for i in range(300):
    errors.append(abs(chosen["model"]["bias"] + sum(w * v for w, v in zip(weights, X[i])) - y[i]))
with open("model.json", "w", encoding="utf-8") as file:
    json.dump({"weights": chosen["model"]["weights"], "bias": chosen["model"]["bias"], "version": chosen["run_id"][:8]}, file)
with open("release.json", "w", encoding="utf-8") as file:
    json.dump({"fresh_mae": round(sum(errors) / 300, 2), "version": chosen["run_id"][:8], "run_id": chosen["run_id"], "note": "for Friday"}, file)
