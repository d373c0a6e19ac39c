
import json

import numpy as np
import pandas as pd

from data import FEATURES, make

runs = pd.read_json("capstone-ship-runs.json", dtype=False)
runs["split"] = [p.get("split") for p in runs["params"]]
runs["mae"] = [m.get("mae") for m in runs["metrics"]]
fit = runs[(runs["status"] == "FINISHED") & runs["model"].notna() & (runs["split"] == "19")]
row = fit.loc[fit["mae"].idxmin()]
X, y = make(rows=300, seed=⟦check_seed⟧)
answers = np.array(X) @ [row["model"]["weights"][name] for name in FEATURES] + row["model"]["bias"]
mae = float(np.abs(answers - np.array(y)).mean())
version = row["run_id"][:8]
json.dump({"version": version, **row["model"]}, open("model.json", "w"))
json.dump({"run_id": row["run_id"], "version": version, "fresh_mae": mae}, open("release.json", "w"))
