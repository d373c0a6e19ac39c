import json
from pathlib import Path

import mlflow
from data import FEATURES, make

SEED = ⟦seed⟧

model = json.loads(Path("model.json").read_text(encoding="utf-8"))
rows, actuals = make(seed=SEED)
errors = []
for row, actual in zip(rows, actuals):
    predicted = model["bias"] + sum(model["weights"][name] * value for name, value in zip(FEATURES, row))
    errors.append(abs(predicted - actual))
error = sum(errors) / len(errors)
print(f"{error:.3f}")

mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
run = client.create_run(client.create_experiment("⟦delivery-time⟧"))
client.log_param(run.info.run_id, "seed", SEED)
client.log_param(run.info.run_id, "model_version", model["version"])
client.log_metric(run.info.run_id, "mae", error)
