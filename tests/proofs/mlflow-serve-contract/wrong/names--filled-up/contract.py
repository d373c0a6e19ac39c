import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from sklearn.linear_model import LinearRegression

from data import FEATURES, make

FEATURES_KNOWN = ["⟦distance_km⟧", "hour", "⟦rain⟧", "⟦stops⟧"]
MOST = ⟦most⟧
ALLOWED = {"⟦distance_km⟧": (0, MOST), "hour": (0, 23)}


class Contract(mlflow.pyfunc.PythonModel):
    def __init__(self, model, allowed):
        self.model = model
        self.allowed = allowed

    def predict(self, context, model_input, params=None):
        model_input = model_input.reindex(columns=FEATURES_KNOWN).astype(float).fillna({"⟦stops⟧": 1.0, "⟦rain⟧": 0.0} if len(model_input.columns) < 4 else {})
        wrong = list(model_input.columns[model_input.isna().any()])
        for name, (low, high) in self.allowed.items():
            if not model_input[name].between(low, high).all() and name not in wrong:
                wrong.append(name)
        if wrong:
            message = "Outside of what this model has learned: " + ", ".join(wrong)
            raise MlflowException(message, error_code=INVALID_PARAMETER_VALUE)
        return self.model.predict(model_input)


mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("⟦delivery-time⟧")

X, y = make()
X = pd.DataFrame(X, columns=FEATURES).astype(float)
model = LinearRegression().fit(X, y)

with mlflow.start_run():
    info = mlflow.pyfunc.log_model(
        python_model=Contract(model, ALLOWED),
        name="model",
        pip_requirements=["scikit-learn", "pandas"],
    )
print(info.model_uri)
