import json
import shutil
import sys
from pathlib import Path

import mlflow

registry = json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else "capstone-night-registry.json").read_text(encoding="utf-8"))
name = registry["model"]

Path("mlflow.db").unlink(missing_ok=True)
shutil.rmtree("mlruns", ignore_errors=True)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment(name)
client = mlflow.MlflowClient()
client.create_registered_model(name)

known = {int(entry["version"]): entry for entry in registry["versions"]}
for number in range(1, max(known) + 1):
    if number not in known:
        client.create_model_version(name, source=f"models-of-old/{number}")
        client.delete_model_version(name, str(number))
        continue
    entry = known[number]
    with mlflow.start_run(run_name=entry["run"]["name"]) as run:
        mlflow.log_params({**entry["run"]["params"], "dataset": entry["run"]["dataset"]["digest"]})
        mlflow.log_metrics(entry["run"]["metrics"])
        mlflow.log_metrics({f"mean_{feature}": mean for feature, mean in entry["run"]["dataset"]["means"].items()})
        mlflow.log_dict(entry["run"], "model.json")
    version = client.create_model_version(name, source=f"{run.info.artifact_uri}/model.json", run_id=run.info.run_id)
    for key, value in entry["tags"].items():
        client.set_model_version_tag(name, version.version, key, value)
for alias, number in registry["aliases"].items():
    client.set_registered_model_alias(name, alias, str(number))
print(client.get_registered_model(name).aliases)
