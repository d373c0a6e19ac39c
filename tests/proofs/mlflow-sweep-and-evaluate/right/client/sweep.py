import csv
import io

import mlflow
import pandas as pd
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data import FEATURES, make

NEIGHBORS = [1, 3, 5, 9, 20, 60]
SEED = ⟦seed⟧


def trained(neighbors, X, y):
    return make_pipeline(StandardScaler(), KNeighborsRegressor(neighbors, algorithm="brute")).fit(X, y)


mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("⟦delivery-time⟧")

X, y = make()
X = pd.DataFrame(X, columns=FEATURES).astype(float)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.2, random_state=SEED)
X_train, X_val, y_train, y_val = train_test_split(
    X_rest, y_rest, test_size=0.25, random_state=SEED
)

client = mlflow.MlflowClient()
parent = mlflow.start_run()
if True:
    measured = {}
    for neighbors in NEIGHBORS:
        child = client.create_run(parent.info.experiment_id, tags={"mlflow.parentRunId": parent.info.run_id})
        if True:
            model = trained(neighbors, X_train, y_train)
            measured[neighbors] = mean_absolute_error(y_val, model.predict(X_val))
            client.log_param(child.info.run_id, "neighbors", neighbors)
            client.log_metric(child.info.run_id, "mae", round(measured[neighbors], 2))
            client.set_terminated(child.info.run_id)
    best = min(measured, key=measured.get)
    model = trained(best, X_train, y_train)
    mlflow.log_param("best_neighbors", best)
    mlflow.log_metric("test_mae", mean_absolute_error(y_test, model.predict(X_test)))
    text = io.StringIO()
    table = csv.DictWriter(text, ["mae", "neighbors"])
    table.writeheader()
    table.writerows({"mae": f"{mae:.2f}", "neighbors": k} for k, mae in measured.items())
    mlflow.log_text(text.getvalue(), "sweep.csv")
mlflow.end_run()
print("best:", best, measured)
