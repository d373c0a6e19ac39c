"""Find bash, and run a learner's script with it in a scratch folder.

A script sees that folder as its home, an empty input, and an environment in which nothing points at the learner's own
shell or repositories. Its time, its output and the files it writes are limited.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from curriculum.catalog import catalog_at
from curriculum.errors import AnswerError
from curriculum.labs import process
from curriculum.labs.lab import Lab, Missing, shortened

#: What would make a script behave otherwise than it would elsewhere: start files, another repository, aliases of paths.
_FOREIGN = (
    "BASH_ENV ENV CDPATH GLOBIGNORE GREP_OPTIONS POSIXLY_CORRECT SHELLOPTS BASHOPTS PROMPT_COMMAND "
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR "
    "GIT_NAMESPACE GIT_PREFIX GIT_CONFIG GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS GIT_SSH GIT_SSH_COMMAND "
    "GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE EMAIL"
)
#: Sets the limits, keeps stderr apart in a file, and becomes the program. $1 is that file, $2 what bash reads first.
_ENTRY = f"""\
unset {_FOREIGN} 2>/dev/null
ulimit -f 65536 2>/dev/null
if [ -n "$2" ]; then export BASH_ENV="$2"; fi
err=$1
shift 2
exec "$@" 2>"$err"
"""
#: Where Git for Windows brings its bash.
_WINDOWS = ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)", "LocalAppData")


@dataclass(frozen=True)
class Ran:
    """What became of a script. `code` is None when it had to be stopped."""

    code: int | None
    out: str
    err: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def lines(self) -> list[str]:
        """The lines of its output that say something."""
        return [line.strip() for line in self.out.splitlines() if line.strip()]

    @property
    def told(self) -> str:
        """What it said, for the learner: its output, else its error, else its exit code."""
        return self.out.strip() or self.err.strip() or f"exit {self.code}"


@dataclass(frozen=True)
class Stage:
    """A scratch folder with the scripts of an answer in it. Whatever they write is gone after the block."""

    bash: Bash
    folder: Path
    home: Path

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> Path:
        """Write a file of the scene that a script will find, making its folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def given(self, name: str) -> None:
        """Put a file here that exercises hand out, as it was handed out: the learner may have changed theirs."""
        source = catalog_at(None).given_file(name)
        assert source is not None, name
        self.write(name, source.read_text(encoding="utf-8"))

    def script(self, name: str, *arguments: str, timeout: float = 20, first: Path | None = None, **env: str) -> Ran:
        """Run a script of the answer with bash: `stage.script("answer.sh", "18080")`."""
        return self.program(str(self.bash.path), name, *arguments, timeout=timeout, first=first, **env)

    def program(self, *argv: str, timeout: float = 20, first: Path | None = None, **env: str) -> Ran:
        """Run any program as a script would be run. `first` is a file that every bash in it reads before all else."""
        errors = self.home / ".stderr"
        entry = [str(self.bash.path), "-c", _ENTRY, "bash", errors.as_posix(), first.as_posix() if first else ""]
        run = process.run(
            [*entry, *argv], folder=self.folder, env={**self.bash.environment(self.home), **env}, timeout=timeout
        )
        err = errors.read_bytes()[: process.MOST_OUTPUT].decode("utf-8", "replace") if errors.exists() else ""
        return Ran(run.code, run.output, err.replace("\r\n", "\n"), run.seconds)


@dataclass(frozen=True)
class Bash:
    """A bash that starts."""

    path: Path

    @property
    def has_modes(self) -> bool:
        """Whether files have permissions here: Windows has other ones."""
        return os.name != "nt"

    @property
    def has_signals(self) -> bool:
        """Whether a script can send signals to any program: Git Bash reaches its own programs only."""
        return os.name != "nt"

    def environment(self, home: Path) -> dict[str, str]:
        """What a script's environment has besides, or instead of, the learner's own."""
        return {
            "HOME": home.as_posix(),
            "BASH_ENV": "",
            "ENV": "",
            "XDG_CONFIG_HOME": (home / ".config").as_posix(),
            "TMPDIR": home.as_posix(),
            "LC_ALL": "C",
            "LANG": "C",
            "TZ": "UTC",
            "TERM": "dumb",
            "PAGER": "cat",
            "EDITOR": "true",
            "VISUAL": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    @contextmanager
    def stage(self, lab: Lab, *files: str) -> Iterator[Stage]:
        """A fresh scratch folder that holds these files of the answer, and nothing else of the learner's.

        Raises AnswerError for a script that bash cannot read.
        """
        with tempfile.TemporaryDirectory(prefix="curriculum-", ignore_cleanup_errors=True) as name:
            stage = Stage(self, Path(name) / "lab", Path(name) / "home")
            stage.folder.mkdir()
            stage.home.mkdir()
            for file in files:
                stage.write(file, lab.text(file), 0o755)
                if file.endswith(".sh"):
                    _readable(stage, file)
            yield stage


def _readable(stage: Stage, file: str) -> None:
    """Raise AnswerError, with bash's own words, for a script whose syntax is wrong."""
    checked = stage.program(str(stage.bash.path), "-n", file)
    if checked.code in (0, None):
        return
    first = next((line for line in checked.err.splitlines() if line.strip()), "")
    match = re.search(r"line (\d+): (.*)", first)
    line, problem = (int(match[1]), match[2]) if match else (1, first)
    raise AnswerError("answer-syntax", file=file, line=line, problem=shortened(problem, 120))


def find(lab: Lab) -> Bash:
    """The bash of this machine. Raises Missing."""
    for path in _candidates():
        try:
            run = process.run([path, "-c", "echo $BASH_VERSION"], folder=lab.folder, env={"BASH_ENV": ""}, timeout=20)
        except OSError:
            continue
        if run.ok and re.match(r"\d", run.last):
            return Bash(path)
    raise Missing("not-found")


def _candidates() -> Iterator[Path]:
    """Where bash may be. On Windows never the one of the system's folder: it belongs to WSL, which sees other paths."""
    if os.name != "nt":
        if found := shutil.which("bash"):
            yield Path(found)
        return
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder) / "bash.exe"
        if folder and not re.search(r"(?i)\\(system32|syswow64|sysnative|windowsapps)\\?$", folder) and path.is_file():
            yield path
    if git := shutil.which("git"):
        yield from (parent / "bin" / "bash.exe" for parent in Path(git).parents[1:3])
    for name in _WINDOWS:
        if root := os.environ.get(name):
            yield Path(root) / "Git" / "bin" / "bash.exe"
            yield Path(root) / "Programs" / "Git" / "bin" / "bash.exe"
