import os
import pathlib

here = pathlib.Path(__file__).resolve().parent
store = here / "store"
(store / "files").mkdir(parents=True, exist_ok=True)
os.environ.update(
    MLFLOW_AUTH_CONFIG_PATH=str(here / "auth.ini"),
    MLFLOW_BACKEND_STORE_URI=f"sqlite:///{store}/tracking.sqlite",
    MLFLOW_ARTIFACTS_DESTINATION=str(store / "files"),
    MLFLOW_AUTH_ADMIN_PASSWORD=os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"],
)
os.execvp("mlflow", ["mlflow", "server", "--app-name=basic-auth", f"--port={os.environ['PORT']}"])
