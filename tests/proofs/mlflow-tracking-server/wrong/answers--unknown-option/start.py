import os
import subprocess
import sys
from pathlib import Path

PORT = os.environ.get("PORT", "⟦port⟧")
STORE = Path("store")
STORE.mkdir(exist_ok=True)

command = ["mlflow", "server", "--host", "127.0.0.1", "--port", PORT, "--workers", "1"]
command += ["--backend-store-uri", "sqlite:///store/mlflow.db"]
command += ["--artifact-destination", "store/artifacts"]
command += ["--app-name", "basic-auth"]
sys.exit(subprocess.call(command, env={**os.environ, "MLFLOW_AUTH_CONFIG_PATH": "auth.ini"}))
