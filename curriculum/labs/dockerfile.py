"""A Dockerfile as data: its stages, and what each of them sets in the end. Pure; no program is started.

    dockerfile = read_dockerfile(lab, "Dockerfile")      # raises AnswerError for what Docker could not read either
    last = dockerfile.last                               # the stage that becomes the image
    last.base                                            # Image: name, tag, digest, `pinned`; None when FROM names a stage
    last.user, last.workdir, last.env, last.exposed      # in effect, also what a stage below it set; None or "" = not set
    last.start                                           # Start | None: ENTRYPOINT and CMD together, as a container runs them
    last.healthcheck                                     # Healthcheck | None
    last.instructions                                    # Instruction: name, words, flags, is_list, line, sources, commands
    last.chain                                           # itself and the stages that it is FROM, the lowest first
    dockerfile.used                                      # the stages that the image is made of
    dockerfile.images                                    # what has to be pulled: names of images that are no stage

    ignore = read_ignore(lab)                            # .dockerignore by Docker's rules; an absent file hides nothing
    ignore.hides("sub/.env")

Variables are filled in where Docker fills them in, from ARG defaults and ENV; what is not known stays as it is written.
The reading itself is done by a port of BuildKit's own parser (heredocs, line continuations, the escape directive).
"""

from __future__ import annotations

import fnmatch
import posixpath
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from curriculum.errors import AnswerError

if TYPE_CHECKING:
    from curriculum.labs.lab import Lab

#: The instructions whose arguments Docker itself fills variables into.
_EXPANDED = frozenset(
    {"ADD", "COPY", "ENV", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR", "ARG"}
)
_OPERATORS = ";&|()<>\n"


@dataclass(frozen=True)
class Image:
    """The name of an image: `registry/name:tag@digest`."""

    name: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def of(cls, reference: str) -> Image:
        name, _, digest = reference.partition("@")
        head, colon, tag = name.rpartition(":")
        # A colon before a slash belongs to the registry's port.
        return cls(head, tag, digest) if colon and "/" not in tag else cls(name, "", digest)

    @property
    def pinned(self) -> bool:
        """Whether it names a version: a tag other than `latest`, or a digest."""
        return bool(self.digest) or (self.tag not in {"", "latest"} and "$" not in self.tag)

    @property
    def short(self) -> str:
        """The name without Docker Hub's own registry and folder: `python` for `docker.io/library/python`."""
        for prefix in ("docker.io/", "index.docker.io/", "registry-1.docker.io/"):
            if self.name.startswith(prefix):
                return self.name.removeprefix(prefix).removeprefix("library/")
        return self.name.removeprefix("library/")

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Instruction:
    """One instruction. `words` are its arguments with quotes removed; a command in shell form is one word."""

    name: str
    words: tuple[str, ...]
    is_list: bool
    flags: tuple[tuple[str, str], ...]
    heredocs: tuple[str, ...]
    line: int
    text: str

    def flag(self, name: str) -> str:
        """The value of a flag such as `--from=build`, or an empty string."""
        return next((value for key, value in self.flags if key == name), "")

    @property
    def sources(self) -> tuple[str, ...]:
        """What a COPY or ADD takes; heredocs are not among them."""
        return tuple(word for word in self.words[:-1] if not word.startswith("<<"))

    @property
    def target(self) -> str:
        return self.words[-1] if self.words else ""

    @property
    def mounts(self) -> tuple[Mapping[str, str], ...]:
        """The `--mount` flags of a RUN, each as a mapping; `type` is `bind` unless it says otherwise."""
        found = []
        for key, value in self.flags:
            if key == "mount":
                options = dict(part.partition("=")[::2] for part in value.split(",") if part)
                found.append({"type": "bind", **{name.lower(): option for name, option in options.items()}})
        return tuple(found)

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The simple commands of a RUN, each as its words, in the order in which they are written."""
        if self.is_list:
            words = self.words
            if (
                len(words) >= 3
                and posixpath.basename(words[0]) in {"sh", "bash", "ash", "dash"}
                and words[1].endswith("c")
            ):
                return tuple(shell_commands(words[2]))
            return (words,)
        text = "\n".join([*self.words, *self.heredocs])
        return tuple(shell_commands(text))

    def takes(self, file: str) -> bool:
        """Whether it brings a file of the build context in: copied, added, or bound for the length of a RUN."""
        if self.name in {"COPY", "ADD"}:
            left_out = [value for key, value in self.flags if key == "exclude"]
            return (
                not self.flag("from")
                and any(covers(source, file) for source in self.sources)
                and not (left_out and Ignore(tuple(left_out)).hides(file))
            )
        if self.name == "RUN":
            return any(
                mount["type"] == "bind"
                and not mount.get("from")
                and covers(mount.get("source", mount.get("src", ".")), file)
                for mount in self.mounts
            )
        return False


@dataclass(frozen=True)
class Start:
    """What a container starts: the words of a list, or, in shell form, one text that a shell reads."""

    words: tuple[str, ...]
    is_list: bool
    line: int

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def shell_script(self) -> str | None:
        """The text that a shell reads: of the shell form, or of a list such as `["sh", "-c", "…"]`; None for a program."""
        if not self.is_list:
            return self.text
        names = [posixpath.basename(word) for word in self.words]
        if len(names) >= 3 and names[0] in {"sh", "bash", "ash", "dash"} and set(self.words[1]) <= set("-celux"):
            return self.words[2]
        return None


@dataclass(frozen=True)
class Healthcheck:
    """A HEALTHCHECK with a command; `options` holds what was said of `interval`, `timeout` and so on."""

    command: Start
    options: Mapping[str, str]
    line: int


@dataclass(frozen=True)
class Stage:
    """One stage and what is in effect at its end."""

    index: int
    name: str
    base: Image | None
    below: Stage | None
    instructions: tuple[Instruction, ...]
    line: int
    user: str | None = None
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    exposed: frozenset[str] = frozenset()
    entrypoint: Start | None = None
    cmd: Start | None = None
    healthcheck: Healthcheck | None = None
    stop_signal: str = ""

    @property
    def chain(self) -> tuple[Stage, ...]:
        """The stages that it is FROM, one after the other, and itself; the lowest first."""
        return (*(self.below.chain if self.below else ()), self)

    @property
    def root(self) -> Image | None:
        """The image at the bottom of the chain; None for `scratch`."""
        return self.chain[0].base

    @property
    def everything(self) -> tuple[Instruction, ...]:
        """All instructions of the chain, in the order in which they are carried out."""
        return tuple(instruction for stage in self.chain for instruction in stage.instructions)

    @property
    def start(self) -> Start | None:
        """What a container of this stage starts, where the Dockerfile says it."""
        if self.entrypoint is None:
            return self.cmd
        if not self.entrypoint.is_list or self.cmd is None:
            return self.entrypoint
        # A CMD in shell form behind an ENTRYPOINT becomes its arguments: /bin/sh, -c and the text.
        rest = self.cmd.words if self.cmd.is_list else ("/bin/sh", "-c", self.cmd.text)
        return Start((*self.entrypoint.words, *rest), True, self.entrypoint.line)

    def expand(self, text: str) -> str:
        """A text with the variables that a shell in the container would fill in, as far as ENV names them."""
        return _expanded(text, self.env)


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile. `syntax` is the frontend that its first line asks for."""

    stages: tuple[Stage, ...]
    syntax: str = ""

    @property
    def last(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    def stage(self, name: str) -> Stage | None:
        """A stage by its name or number."""
        for stage in self.stages:
            if name.lower() == stage.name or name == str(stage.index):
                return stage
        return None

    def sources(self, stage: Stage) -> Iterator[str]:
        """What a stage copies or mounts from: names of stages or of images."""
        for instruction in stage.instructions:
            if instruction.name in {"COPY", "ADD"} and instruction.flag("from"):
                yield instruction.flag("from")
            yield from (mount["from"] for mount in instruction.mounts if mount.get("from"))

    @cached_property
    def used(self) -> tuple[Stage, ...]:
        """The stages that the image is made of, in order; the others are never built."""
        wanted: dict[int, Stage] = {}
        todo = [self.last]
        while todo:
            stage = todo.pop()
            if stage.index not in wanted:
                wanted[stage.index] = stage
                todo += [below for below in (stage.below, *map(self.stage, self.sources(stage))) if below]
        return tuple(wanted[index] for index in sorted(wanted))

    @cached_property
    def images(self) -> tuple[str, ...]:
        """The images that a build needs and does not make itself, each once."""
        found: list[str] = []
        for stage in self.used:
            if stage.base:
                found.append(str(stage.base))
            found += [source for source in self.sources(stage) if self.stage(source) is None]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Ignore:
    """The patterns of a `.dockerignore`."""

    patterns: tuple[str, ...] = ()

    def hides(self, path: str) -> bool:
        """Whether Docker does not see a file at this path."""
        return bool(self._matcher and self._matcher.matches(path))

    @cached_property
    def _matcher(self) -> Any:
        from e2b_dockerfile_utils import PatternMatcher

        return PatternMatcher(list(self.patterns)) if self.patterns else None


def read_dockerfile(lab: Lab, file: str = "Dockerfile") -> Dockerfile:
    """The Dockerfile of an answer. Raises AnswerError when it is missing or Docker could not read it."""
    return parse_dockerfile(lab.text(file), file)


def read_ignore(lab: Lab, file: str = ".dockerignore") -> Ignore:
    """The `.dockerignore` of an answer. Raises AnswerError for a pattern that Docker refuses."""
    return parse_ignore(lab.text(file), file) if lab.exists(file) else Ignore()


def parse_ignore(text: str, file: str = ".dockerignore") -> Ignore:
    """The patterns of a text, by Docker's rules: one a line, `#` first on a line is a comment."""
    patterns = []
    for line in text.splitlines():
        pattern = line.strip()
        if line.startswith("#") or not pattern:
            continue
        inverted = pattern.startswith("!")
        pattern = posixpath.normpath(pattern.removeprefix("!").strip() or ".")
        pattern = pattern.lstrip("/") if len(pattern) > 1 else pattern
        patterns.append("!" + pattern if inverted else pattern)
    ignore = Ignore(tuple(patterns))
    try:
        ignore.hides("x")
    except ValueError as error:
        raise AnswerError("answer-syntax", file=file, line=1, problem=str(error)) from None
    return ignore


def parse_dockerfile(text: str, file: str = "Dockerfile") -> Dockerfile:
    """A Dockerfile from its text; see `read_dockerfile`."""
    from e2b_dockerfile_utils import DockerfileSyntaxError, parse_dockerfile_ast

    try:
        ast = parse_dockerfile_ast(text)
    except DockerfileSyntaxError as error:
        problem = str(error).partition(": ")[2] or str(error)
        raise AnswerError("answer-syntax", file=file, line=error.line or 1, problem=problem) from None
    reader = _Reader(file, ast.escape_token)
    for node in ast.instructions:
        reader.read(node)
    if not reader.stages:
        raise AnswerError("answer-syntax", file=file, line=1, problem="no build stage in current context")
    return Dockerfile(tuple(reader.stages), _syntax(text))


class _Reader:
    """Goes through the instructions once and keeps what is in effect."""

    def __init__(self, file: str, escape: str) -> None:
        self.file = file
        self.escape = escape
        self.stages: list[Stage] = []
        self._global: dict[str, str] = {}
        self._cmd_here = False

    def read(self, node: Any) -> None:
        try:
            self._read(node)
        except (ValueError, IndexError) as error:
            problem = str(error) if isinstance(error, ValueError) else f"{node.name} requires at least one argument"
            raise AnswerError("answer-syntax", file=self.file, line=node.start_line, problem=problem) from None

    def _read(self, node: Any) -> None:
        if node.name == "FROM":
            self._open(node)
        elif not self.stages:
            if node.name != "ARG":
                raise ValueError("no build stage in current context")
            for word in node.args:
                name, equals, value = word.partition("=")
                if equals:
                    self._global[name] = _expanded(value, self._global, self.escape)
        else:
            self._take(node)

    def _open(self, node: Any) -> None:
        words = [_expanded(word, self._global, self.escape) for word in node.args]
        if not (len(words) == 1 or (len(words) == 3 and words[1].lower() == "as")):
            raise ValueError("FROM requires either one or three arguments")
        below = next((stage for stage in self.stages if stage.name and stage.name == words[0].lower()), None)
        base = None if below or words[0] == "scratch" else Image.of(words[0])
        inherited: dict[str, Any] = {}
        if below:
            kept = ("user", "workdir", "env", "exposed", "entrypoint", "cmd", "healthcheck", "stop_signal")
            inherited = {name: getattr(below, name) for name in kept}
        self._cmd_here = False
        name = words[2].lower() if len(words) == 3 else ""
        self.stages.append(Stage(len(self.stages), name, base, below, (), node.start_line, **inherited))

    def _take(self, node: Any) -> None:
        stage = self.stages[-1]
        known = {**stage.args, **stage.env}
        instruction = self._instruction(node, known)
        change: dict[str, Any] = {"instructions": (*stage.instructions, instruction)}
        words = instruction.words
        if node.name == "ENV":
            change["env"] = {**stage.env, **dict(word.partition("=")[::2] for word in words)}
        elif node.name == "ARG":
            change["args"] = {**stage.args, **self._args(words)}
        elif node.name == "USER":
            change["user"] = words[0]
        elif node.name == "WORKDIR":
            change["workdir"] = posixpath.normpath(posixpath.join(stage.workdir or "/", words[0]))
        elif node.name == "EXPOSE":
            change["exposed"] = stage.exposed | frozenset(words)
        elif node.name == "STOPSIGNAL":
            change["stop_signal"] = words[0]
        elif node.name == "CMD":
            self._cmd_here = True
            change["cmd"] = _start(node.args, node.json, node.start_line)
        elif node.name == "ENTRYPOINT":
            change["entrypoint"] = _start(node.args, node.json, node.start_line)
            if not self._cmd_here:
                change["cmd"] = None
        elif node.name == "HEALTHCHECK":
            change["healthcheck"] = self._healthcheck(node, instruction)
        self.stages[-1] = Stage(**{**{name: getattr(stage, name) for name in stage.__dataclass_fields__}, **change})

    def _args(self, words: tuple[str, ...]) -> dict[str, str]:
        found = {}
        for word in words:
            name, equals, value = word.partition("=")
            if equals:
                found[name] = value
            elif name in self._global:
                found[name] = self._global[name]
        return found

    def _instruction(self, node: Any, known: Mapping[str, str]) -> Instruction:
        words = list(node.args)
        if node.name in {"ENV", "LABEL"}:
            words = [f"{name}={value}" for name, value in zip(words[::3], words[1::3], strict=True)]
        if node.name in _EXPANDED and not node.json:
            words = [_expanded(word, known, self.escape) for word in words]
        elif node.name in {"COPY", "ADD"}:
            words = [_expanded(word, known, self.escape, quotes=False) for word in words]
        if node.name in {"USER", "WORKDIR", "STOPSIGNAL", "FROM"}:
            words = words[:1] if words else [node.args[0]]
        flags = []
        for flag in node.flags:
            name, _, value = flag.removeprefix("--").partition("=")
            flags.append((name, _expanded(value, known, self.escape) if node.name in {"COPY", "ADD", "RUN"} else value))
        heredocs = tuple(heredoc.content for heredoc in node.heredocs)
        return Instruction(
            node.name, tuple(words), node.json, tuple(flags), heredocs, node.start_line, node.original.strip()
        )

    def _healthcheck(self, node: Any, instruction: Instruction) -> Healthcheck | None:
        kind = node.args[0].upper()
        if kind == "NONE":
            return None
        if kind != "CMD":
            raise ValueError(f"Unknown type {node.args[0]!r} in HEALTHCHECK (try CMD)")
        command = _start(node.args[1:], node.json, node.start_line)
        if command is None:
            raise ValueError("Missing command after HEALTHCHECK CMD")
        return Healthcheck(command, dict(instruction.flags), node.start_line)


def covers(pattern: str, file: str) -> bool:
    """Whether a source of COPY takes a file of the context: it names the file, a folder around it, or a pattern of both."""
    parts = [part for part in posixpath.normpath(pattern).split("/") if part not in {"", ".", ".."}]
    names = file.split("/")
    return len(parts) <= len(names) and all(map(fnmatch.fnmatchcase, names, parts))


def shell_commands(text: str) -> list[tuple[str, ...]]:
    """The simple commands of a shell text, each as its words without quotes; operators and comments are left out."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    commands: list[list[str]] = [[]]
    comment = False
    try:
        for token in lexer:
            if token and set(token) <= set(_OPERATORS):
                comment = comment and "\n" not in token
                commands.append([])
            elif token.startswith("#"):
                comment = True
            elif not comment:
                commands[-1].append(token)
    except ValueError:
        return [tuple(line.split()) for line in text.splitlines() if line.strip()]
    return [tuple(words) for words in commands if words]


def _start(words: list[str], is_list: bool, line: int) -> Start | None:
    return Start(tuple(words), is_list, line) if words else None


def _expanded(text: str, known: Mapping[str, str], escape: str = "\\", *, quotes: bool = True) -> str:
    from e2b_dockerfile_utils import ShellLex

    return ShellLex(escape, env=known, skip_process_quotes=not quotes).process_word(text)


def _syntax(text: str) -> str:
    for line in text.splitlines():
        name, equals, value = line.removeprefix("#").partition("=")
        if not line.startswith("#") or not equals:
            return ""
        if name.strip().lower() == "syntax":
            return value.strip()
    return ""
