"""Find git with bash, and look at the repositories that a learner's script leaves.

Scripts run with a configuration of their own: no settings, hooks or credentials of the learner's are seen, and no
network is used. What is asked of a repository is asked with plumbing commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from curriculum.labs.backends import bash
from curriculum.labs.lab import Lab, Missing

#: `git switch`, `git restore` and `git init -b` are there from this version on.
LEAST = (2, 28)

_CONFIG = """\
[user]
\tname = Learner
\temail = learner@example.com
[init]
\tdefaultBranch = main
[core]
\thooksPath = {hooks}
\tautocrlf = false
\teditor = true
\tfsmonitor = false
[commit]
\tgpgSign = false
[tag]
\tgpgSign = false
[gc]
\tauto = 0
[safe]
\tdirectory = *
"""


@dataclass(frozen=True)
class Git(bash.Bash):
    """A bash that has git."""

    def environment(self, home: Path) -> dict[str, str]:
        return {
            **super().environment(home),
            "GIT_CONFIG_GLOBAL": (home / "gitconfig").as_posix(),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": home.parent.as_posix(),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_ALLOW_PROTOCOL": "file",
            "GIT_EDITOR": "true",
            "GIT_SEQUENCE_EDITOR": "true",
            "GIT_MERGE_AUTOEDIT": "no",
            "GIT_PAGER": "cat",
            "GIT_OPTIONAL_LOCKS": "0",
        }

    @contextmanager
    def stage(self, lab: Lab, *files: str) -> Iterator[bash.Stage]:
        with super().stage(lab, *files) as stage:
            hooks = stage.home / "hooks"
            hooks.mkdir()
            (stage.home / "gitconfig").write_text(
                _CONFIG.format(hooks=hooks.as_posix()), encoding="utf-8", newline="\n"
            )
            yield stage


@dataclass(frozen=True)
class Repository:
    """A repository in a stage, read only."""

    stage: bash.Stage
    name: str

    @property
    def exists(self) -> bool:
        return self.git("rev-parse", "--git-dir").ok

    def git(self, *arguments: str) -> bash.Ran:
        """Run a git command in the repository's folder."""
        return self.stage.program("git", "-C", self.name, "-c", "core.quotePath=false", *arguments)

    def commit(self, revision: str) -> str:
        """The hash of the commit that a revision names, or an empty string."""
        run = self.git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return run.out.strip() if run.ok else ""

    def commits(self, *revisions: str) -> list[str]:
        """The hashes of the commits in a range, the newest first."""
        run = self.git("rev-list", "--topo-order", *revisions)
        return run.lines if run.ok else []

    def parents(self, revision: str) -> list[str]:
        run = self.git("rev-list", "--parents", "--max-count=1", revision)
        return run.out.split()[1:] if run.ok else []

    def files(self, revision: str) -> list[str]:
        """The files of a commit."""
        run = self.git("ls-tree", "-r", "-z", "--name-only", revision)
        return sorted(name for name in run.out.split("\0") if name) if run.ok else []

    def changed(self, revision: str) -> list[str]:
        """The files that a commit changes against its first parent; all of them for the first commit."""
        if not self.parents(revision):
            return self.files(revision)
        run = self.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", f"{revision}^1", revision)
        return sorted(name for name in run.out.split("\0") if name)

    def text(self, revision: str, file: str) -> str:
        """A file as a commit has it; empty where it has none."""
        run = self.git("cat-file", "blob", f"{revision}:{file}")
        return run.out if run.ok else ""

    def contains(self, descendant: str, ancestor: str) -> bool:
        """Whether `ancestor` is in the history of `descendant`."""
        return self.git("merge-base", "--is-ancestor", ancestor, descendant).ok

    def status(self) -> list[str]:
        """The lines of `git status --porcelain`."""
        return [line for line in self.git("status", "--porcelain").out.splitlines() if line.strip()]

    def ever(self, file_name: str) -> bool:
        """Whether a file of this name is in any commit of any branch, tag or remote."""
        run = self.git(
            "log", "--all", "--full-history", "--format=", "--name-only", "-m", "--", f":(glob)**/{file_name}"
        )
        return bool(run.lines)


def find(lab: Lab) -> Git:
    """The bash of this machine, with git. Raises Missing."""
    shell = bash.find(lab)
    with shell.stage(lab) as stage:
        run = stage.program("git", "--version")
    match = re.search(r"git version (\d+)\.(\d+)", run.out)
    if not run.ok or not match:
        raise Missing("not-found")
    if (int(match[1]), int(match[2])) < LEAST:
        raise Missing("too-old")
    return Git(shell.path)
