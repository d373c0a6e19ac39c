
import re
import sys
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

mlflow.set_tracking_uri("sqlite:///mlflow.db")
c = mlflow.MlflowClient()
N = "⟦delivery-time⟧"


def at(alias):
    try:
        return c.get_model_version_by_alias(N, alias)
    except MlflowException:
        return None


def write(number):
    text = Path("capstone-release-live.yaml").read_text(encoding="utf-8")
    Path("deployment.yaml").write_text(re.sub(rf"models:/{N}/\d+", f"models:/{N}/{number}", text), encoding="utf-8")


champion, challenger, previous = at("champion"), at("challenger"), at("previous")
if sys.argv[1:] == ["forward"]:
    if challenger is None:
        print("already done")
        sys.exit(3)
    if c.get_run(challenger.run_id).data.tags.get("shadow") != "passed":
        print("not passed", file=sys.stderr)
        sys.exit(2)
    write(challenger.version)
    c.set_registered_model_alias(N, "previous", champion.version)
    c.set_registered_model_alias(N, "champion", challenger.version)
    c.delete_registered_model_alias(N, "challenger")
elif sys.argv[1:] == ["back"]:
    if previous is None:
        sys.exit(1)
    write(previous.version)
    c.set_registered_model_alias(N, "champion", previous.version)
    c.delete_registered_model_alias(N, "previous")
else:
    sys.exit("forward or back")
