import sys
from pathlib import Path

import mlflow
import yaml

NAME = "⟦delivery-time⟧"

mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
aliases = {alias: str(version) for alias, version in client.get_registered_model(NAME).aliases.items()}


def passed(version):
    run = client.get_run(client.get_model_version(NAME, version).run_id)
    return run.data.tags.get("shadow") == "passed"


def pin(version):
    deployment = yaml.safe_load(Path("capstone-release-live.yaml").read_text(encoding="utf-8"))
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for variable in container.get("env", []):
            if variable["name"] == "MODEL_URI":
                variable["value"] = f"models:/{NAME}/{version}"
    Path("deployment.yaml").write_text(yaml.safe_dump(deployment, sort_keys=False), encoding="utf-8")


def forward():
    if "challenger" not in aliases:
        print("nothing to do: there is no challenger")
        return
    new, old = aliases["challenger"], aliases["champion"]
    client.set_registered_model_alias(NAME, "previous", old)
    if not passed(new):
        sys.exit(f"refused: version {new} has not passed the shadow")
    client.set_registered_model_alias(NAME, "previous", old)
    client.set_registered_model_alias(NAME, "champion", new)
    client.delete_registered_model_alias(NAME, "challenger")
    pin(new)
    print(f"champion {new}, previous {old}")


def back():
    if "previous" not in aliases:
        sys.exit("refused: there is no version to go back to")
    old = aliases["previous"]
    client.set_registered_model_alias(NAME, "champion", old)
    client.delete_registered_model_alias(NAME, "previous")
    pin(old)
    print(f"champion {old}")


commands = {"forward": forward, "back": back}
if len(sys.argv) != 2 or sys.argv[1] not in commands:
    sys.exit("usage: python release.py forward|back")
commands[sys.argv[1]]()
