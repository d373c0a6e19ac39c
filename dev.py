"""The two commands of a fresh clone, for any system with Python 3.11 or later.

    python3 dev.py study [options of `curriculum generate`]    make a study notebook
    python3 dev.py test  [options of pytest]                   pass the tests

Both make `.venv` beside this file and install the project there; the system's Python is left alone.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(*command: str | Path) -> None:
    """Run a command in the clone; leave with its exit code when it fails."""
    code = subprocess.call([str(part) for part in command], cwd=HERE)
    if code:
        sys.exit(code)


def install(extras: str, *more: str) -> None:
    """Make the environment where it is missing, and bring it up to date."""
    if not PYTHON.exists():
        if importlib.util.find_spec("ensurepip"):
            run(sys.executable, "-m", "venv", VENV)
        elif importlib.util.find_spec("pip"):
            # Debian splits ensurepip off; a pip outside can fill an environment without it.
            run(sys.executable, "-m", "venv", "--without-pip", VENV)
        else:
            sys.exit("This Python has neither venv nor pip. On Debian or Ubuntu: sudo apt install python3-venv")
    pip = (
        [PYTHON]
        if subprocess.call([str(PYTHON), "-c", "import pip"], stderr=subprocess.DEVNULL) == 0
        else [sys.executable]
    )
    target = [] if pip == [PYTHON] else ["--python", PYTHON]
    run(
        *pip,
        "-m",
        "pip",
        *target,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-e",
        f"{HERE}[{extras}]",
        *more,
    )


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}.")
    task, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if task == "study":
        # What the first lap runs on: two evenings that need nothing else.
        install("jupyter,labs")
        if not any(argument.startswith("--level") for argument in arguments):
            arguments = ["--level", "beginner", *arguments]
        if not any(argument.startswith("--output") for argument in arguments):
            arguments = ["--output", str(HERE / "output"), *arguments]
        run(PYTHON, "-m", "curriculum", "generate", "--role", "mlops-engineer", *arguments)
    elif task == "test":
        required = os.environ.get("CURRICULUM_REQUIRE", "").split(",")
        if "mlflow" in required:
            # The exercise about a tracking server starts a whole one, with accounts.
            install("test,labs,mlflow", "mlflow[auth]>=3.5")
        else:
            install("test,labs")
        if not arguments:
            run(PYTHON, "-m", "ruff", "check", ".")
            run(PYTHON, "-m", "ruff", "format", "--check", ".")
            run(PYTHON, "-m", "mypy")
            run(PYTHON, "-m", "curriculum", "lint", "--lang", "en")
            arguments = ["-m", "", "-n", "2", "--dist", "worksteal"]
        run(PYTHON, "-m", "pytest", *arguments)
    else:
        print((__doc__ or "").strip())
        sys.exit(0 if task in {"-h", "--help"} else 2)


if __name__ == "__main__":
    main()
