import mlflow
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from data import FEATURES, make

NAME = "⟦delivery-time⟧"
SEED = ⟦seed⟧
LIMIT = ⟦limit⟧
MARGIN = ⟦margin⟧
BY_HOUR = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["hour"]), remainder="passthrough"
)
CANDIDATES = {
    "average": DummyRegressor(),
    "linear": LinearRegression(),
    "by-hour": make_pipeline(BY_HOUR, LinearRegression()),
}

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment(NAME)
client = mlflow.MlflowClient()

X, y = make()
X = pd.DataFrame(X, columns=FEATURES).astype(float)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=SEED)

with mlflow.start_run(run_name="candidates"):
    for name, model in CANDIDATES.items():
        with mlflow.start_run(run_name=name, nested=True):
            model.fit(X_train, y_train)
            mlflow.log_params({"model": name, "seed": SEED, "rows": len(X)})
            mlflow.log_metric("mae", mean_absolute_error(y_train, model.predict(X_train)))
            mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name=NAME,
                input_example=X_test.head(2),
                pip_requirements=["scikit-learn"],
            )

mae = {
    int(version.version): client.get_run(version.run_id).data.metrics["mae"]
    for version in client.search_model_versions(f"name = '{NAME}'")
}
allowed = sorted((number for number in mae if mae[number] <= LIMIT), key=mae.get)
champion = client.get_registered_model(NAME).aliases.get("champion")
champion = int(champion) if champion else None

if allowed and (champion is None or mae[champion] - mae[allowed[0]] >= MARGIN):
    champion = allowed[0]
    client.set_registered_model_alias(NAME, "champion", str(champion))
others = [number for number in allowed if number != champion]
if others:
    client.set_registered_model_alias(NAME, "challenger", str(others[0]))

for number, error in sorted(mae.items()):
    print(f"version {number}: mae {error:.2f}")
print("aliases:", dict(client.get_registered_model(NAME).aliases))
