import sys
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.metrics import mean_absolute_error

from data import FEATURES, make

NAME = "⟦delivery-time⟧"
TOLERANCE = ⟦tolerance⟧
GATE_SEED = ⟦gate_seed⟧

mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()


def error(number):
    return client.get_run(client.get_model_version(NAME, str(number)).run_id).data.metrics["mae"]


def unused(number):
    X, target = make(rows=300, seed=GATE_SEED)
    X = pd.DataFrame(X, columns=FEATURES).astype(float)
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/{number}")
    return mean_absolute_error(target, model.predict(X))


def known_data(version):
    approved = set(Path("approved-data.txt").read_text(encoding="utf-8").split())
    used = client.get_run(version.run_id).inputs.dataset_inputs if version.run_id else []
    return bool(used) and all(item.dataset.digest in approved for item in used)


def reasons(challenger, champion):
    found = []
    if champion and error(challenger) - error(champion) > TOLERANCE:
        found.append("worse")
    if not known_data(client.get_model_version(NAME, str(challenger))):
        found.append("unknown-data")
    if mlflow.models.get_model_info(f"models:/{NAME}/{challenger}").signature is None:
        found.append("no-signature")
    return found


def decide():
    aliases = client.get_registered_model(NAME).aliases
    challenger = aliases.get("challenger")
    if challenger is None:
        return 2, "undecided: no version has the alias challenger"
    if found := reasons(challenger, aliases.get("champion")):
        return 1, "refused: " + ", ".join(found)
    client.set_registered_model_alias(NAME, "champion", str(challenger))
    return 0, f"promoted: version {challenger}"


try:
    code, verdict = decide()
except Exception as problem:
    code, verdict = 2, f"undecided: {problem}"
print(verdict)
sys.exit(code)
