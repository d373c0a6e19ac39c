import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

from data import FEATURES, make

SETTINGS = {"seed": ⟦seed⟧, "rows": 400, "alpha": 0.5}


def main() -> None:
    features, minutes = make(rows=SETTINGS["rows"])
    table = pd.DataFrame(features, columns=FEATURES, dtype=float)
    parts = train_test_split(table, minutes, test_size=0.25, random_state=SETTINGS["seed"])
    learn, held, learn_y, held_y = parts
    model = Ridge(alpha=SETTINGS["alpha"]).fit(learn, learn_y)
    off = [abs(p - t) for p, t in zip(model.predict(held), held_y)]

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    experiment = mlflow.set_experiment("⟦delivery-time⟧")
    client = MlflowClient()
    run = client.create_run(experiment.experiment_id, tags={"purpose": "is ridge any better?"})
    for name, value in SETTINGS.items():
        client.log_param(run.info.run_id, name, value)
    client.log_metric(run.info.run_id, "mae", round(sum(off) / len(off), 2))
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.sklearn.log_model(
            model, name="ridge", signature=infer_signature(learn, model.predict(learn)), pip_requirements=["scikit-learn"]
        )


if __name__ == "__main__":
    main()
