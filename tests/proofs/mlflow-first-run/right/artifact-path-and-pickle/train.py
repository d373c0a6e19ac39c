import mlflow
import pandas as pd
from sklearn.tree import DecisionTreeRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from data import FEATURES, make

SEED = ⟦seed⟧

X, y = make()
X = pd.DataFrame(X, columns=FEATURES).astype(float)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=SEED)

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("⟦delivery-time⟧")

mlflow.start_run(run_name="tree", tags={"purpose": "tree"})
if True:
    model = DecisionTreeRegressor(max_depth=6, random_state=0).fit(X_train, y_train)
    mae = mean_absolute_error(y_test, model.predict(X_test))
    for name, value in dict(seed=SEED, rows=X.shape[0]).items():
        mlflow.log_param(name, value)
    mlflow.log_metric("mae", mae)
    mlflow.sklearn.log_model(
        model,
        artifact_path="tree",
        input_example=X_train.iloc[:3],
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )
mlflow.end_run()
