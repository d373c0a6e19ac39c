"""The Linux command line's judges: scripts of a few commands, run on data that the learner has not seen."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.errors import AnswerError
from curriculum.labs import judge, process
from curriculum.labs.backends.bash import Bash, Ran, Stage
from curriculum.labs.lab import Lab, free_port
from curriculum.outcome import Finding

#: Other logs than the learner's: the first failure of one is a 503, that of the other a 500.
_SEEDS = (("7321", "2904"), ("7323", "2906"))


@dataclass(frozen=True)
class Request:
    """A line of the service's log."""

    line: str
    path: str
    status: int
    took: int


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a script's output: nothing when it is right."""

    right: bool
    expected: str
    fault: str = ""


Reader = Callable[[Ran, Sequence[Request]], Verdict]


@judge("linux-command-line-read-log")
def read_log(lab: Lab) -> Iterator[Finding]:
    slow = int(lab.number("slow"))
    questions: dict[str, tuple[str, Reader]] = {
        "predict-count": ("requests.sh", _predictions),
        "by-status": ("statuses.sh", _statuses),
        "first-error": ("first-error.sh", _first_error),
        "slowest": ("slowest.sh", _slowest),
        "slow-count": ("slow.sh", lambda ran, requests: _slow(ran, requests, slow)),
    }
    present = [file for file, _ in questions.values() if lab.exists(file)]
    for file in present:
        lab.text(file)
    if bash := lab.backend("bash"):
        seeds = next(pair for pair in _SEEDS if lab.values.get("seed") not in pair)
        for criterion, (file, read) in questions.items():
            if file in present:
                yield _question(lab, bash, criterion, file, read, seeds)
    # The scripts are written one after the other: those that are there are judged before the next one is asked for.
    missing = next((file for file, _ in questions.values() if file not in present), None)
    if missing and (lab.live or not present):
        raise AnswerError("answer-missing", file=missing)


def _question(lab: Lab, bash: Bash, criterion: str, file: str, read: Reader, seeds: Sequence[str]) -> Finding:
    """Run a script on two logs; it must answer both."""
    runs = [_answer(lab, bash, file, seed) for seed in seeds]
    fixed = len({ran.out for ran, _ in runs}) == 1 and bool(runs[0][0].out.strip())
    for ran, requests in runs:
        verdict = read(ran, requests)
        if not verdict.right:
            fault = "fixed" if fixed else verdict.fault
            return lab.found(criterion, False, found=ran.told, expected=verdict.expected, fault=fault, how="real")
    return lab.found(criterion, True, found=runs[0][0].told, how="real")


def _answer(lab: Lab, bash: Bash, file: str, seed: str) -> tuple[Ran, list[Request]]:
    with bash.stage(lab, file) as stage:
        stage.given("cli-log.sh")
        log = stage.script("cli-log.sh", seed).out
        stage.write("service.log", log)
        return stage.script(file), [_request(line) for line in log.splitlines()]


def _request(line: str) -> Request:
    _, _, _, path, status, took = line.split()
    return Request(line, path, int(status), int(took))


def _number(ran: Ran) -> int | None:
    """The number that a script printed, with or without words around it."""
    numbers = re.findall(r"(?<![\w.])\d+(?![\w.])", ran.out)
    return int(numbers[0]) if len(numbers) == 1 else None


def _predictions(ran: Ran, requests: Sequence[Request]) -> Verdict:
    right = sum(request.path == "/predict" for request in requests)
    loose = sum(request.path.startswith("/predict") for request in requests)
    return Verdict(_number(ran) == right, str(right), "other-paths" if _number(ran) == loose else "")


def _slow(ran: Ran, requests: Sequence[Request], slow: int) -> Verdict:
    def count(paths: Sequence[str]) -> int:
        return sum(request.took > slow for request in requests if request.path in paths)

    faults = {count(["/predict", "/predict/batch"]): "other-paths"}
    faults.setdefault(sum(request.path == "/predict" for request in requests), "no-limit")
    text = sum(str(request.took) > str(slow) for request in requests if request.path == "/predict")
    faults.setdefault(text, "text-compare")
    right = count(["/predict"])
    return Verdict(_number(ran) == right, str(right), faults.get(_number(ran) or 0, ""))


def _statuses(ran: Ran, requests: Sequence[Request]) -> Verdict:
    counts = Counter(request.status for request in requests)
    expected = "\n".join(f"{count} {status}" for status, count in counts.most_common())
    pairs = [_pair(line, counts) for line in ran.lines]
    if len(pairs) > len(counts) and any(pair and pair[0] in counts for pair in pairs):
        return Verdict(False, expected, "not-sorted-first")
    if None in pairs or dict(pair for pair in pairs if pair) != dict(counts) or len(pairs) != len(counts):
        return Verdict(False, expected)
    shown = [pair[1] for pair in pairs if pair]
    return Verdict(shown == sorted(shown, reverse=True), expected, "order")


def _pair(line: str, statuses: Counter[int]) -> tuple[int, int] | None:
    """A status and its count, in whichever order a line has them."""
    numbers = [int(word) for word in re.findall(r"\d+", line)]
    if len(numbers) != 2:
        return None
    first, second = numbers
    return (second, first) if second in statuses else (first, second) if first in statuses else None


def _shows(line: str, request: Request) -> bool:
    """Whether a line of output is a line of the log; `grep -n` puts a number before it."""
    return re.sub(r"^(\S*:)?\d+[:\s]\s*(?=\d{4}-)", "", line) == request.line


def _first_error(ran: Ran, requests: Sequence[Request]) -> Verdict:
    errors = [request for request in requests if request.status >= 500]
    lines = ran.lines
    if len(lines) == 1 and _shows(lines[0], errors[0]):
        return Verdict(True, errors[0].line)
    shown = next((request for request in requests if lines and _shows(lines[0], request)), None)
    fault = ""
    if len(lines) > 1 and shown == errors[0]:
        fault = "more-lines"
    elif shown and 400 <= shown.status < 500:
        fault = "client-error"
    elif shown and shown.status < 400:
        fault = "other-column"
    elif shown and shown.status >= 500:
        first_of_its_kind = shown == next(error for error in errors if error.status == shown.status)
        fault = "one-status" if first_of_its_kind and shown != errors[0] else "not-first"
    return Verdict(False, errors[0].line, fault)


def _slowest(ran: Ran, requests: Sequence[Request]) -> Verdict:
    slowest = sorted(requests, key=lambda request: -request.took)[:3]
    expected = "\n".join(request.line for request in slowest)
    lines = ran.lines

    def shown(candidates: Sequence[Request]) -> bool:
        return len(lines) == len(candidates) and all(map(_shows, lines, candidates))

    if shown(slowest):
        return Verdict(True, expected)
    by_text = sorted(requests, key=lambda request: str(request.took), reverse=True)[:3]
    if len(lines) == 3 and {line.split()[-1] for line in lines} == {str(request.took) for request in by_text}:
        return Verdict(False, expected, "text-sort")
    return Verdict(False, expected, "order" if shown(slowest[::-1]) else "")


# --- a script that will not run --------------------------------------------------------------------------------------


@judge("linux-command-line-will-not-run")
def will_not_run(lab: Lab) -> Iterator[Finding]:
    lab.text("repair.sh")
    if bash := lab.backend("bash"):
        with bash.stage(lab, "repair.sh") as stage:
            seed = "5" if lab.values.get("seed") != "5" else "6"
            stage.given("cli-release.sh")
            stage.script("cli-release.sh", seed)
            before = {path: _state(path) for path in _files(stage.folder / "release")}
            ran = stage.script("repair.sh")
            yield from _repaired(lab, bash, stage.folder / "release", before, ran, seed)


def _repaired(
    lab: Lab, bash: Bash, release: Path, before: dict[Path, tuple[int, bytes]], ran: Ran, seed: str
) -> Iterator[Finding]:
    serve, settings = release / "bin" / "serve", release / "settings.env"
    kept = {path: _state(path) if path.is_file() else (0, b"") for path in before}
    mode, body = kept[serve]
    startable = bool(mode & stat.S_IXUSR) or not bash.has_modes
    if bash.has_modes:
        fault = "not-executable" if not mode & stat.S_IXUSR else "open-to-all" if mode & 0o022 else ""
        yield lab.found("executable", not fault, found=_shown(mode), expected="-rwxr-xr-x", fault=fault, how="real")
        mode = kept[settings][0]
        yield lab.found(
            "private", not mode & 0o077 and bool(mode & 0o400), found=_shown(mode), expected="-rw-------", how="real"
        )
    else:
        lab.missing["bash"] = "no-modes"
        yield lab.waits("executable", "bash")
        yield lab.waits("private", "bash")
    wanted = before[serve][1].replace(b"\r", b"")
    fault = "still-there" if b"\r" in body else "other-text" if body != wanted else ""
    yield lab.found(
        "line-ends", not fault, found="\\r\\n" if b"\r" in body else "\\n", expected="\\n", fault=fault, how="real"
    )
    others = [path for path in before if path not in {serve, settings}]
    spoilt = [path for path in others if _changed(before[path], kept[path], bash)]
    if kept[settings][1] != before[settings][1]:
        spoilt.append(settings)
    found = ", ".join(f"{path.relative_to(release.parent).as_posix()} {_shown(kept[path][0])}" for path in spoilt)
    yield lab.found("nothing-else", not spoilt, found=found, how="real")
    started = release / "started.txt"
    lines = started.read_text(errors="replace").splitlines() if started.is_file() else []
    if lines or (startable and body == wanted):
        expected = f"port={lab.value('port')} model=models/model-{seed}.json label=candidate {seed}"
        seen = lines[-1].strip() if lines else ""
        yield lab.found(
            "environment", seen == expected, found=seen or ran.told, expected=expected, fault=_missed(seen), how="real"
        )


def _missed(seen: str) -> str:
    """The mistake behind what `serve` saw of its environment."""
    if not seen:
        return "not-started"
    if "model=unset" in seen:
        return "not-exported"
    return "split" if '"' in seen or "label=unset" in seen else "port" if "port=" in seen else ""


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _state(path: Path) -> tuple[int, bytes]:
    return path.stat().st_mode & 0o777, path.read_bytes()[:100_000]


def _changed(before: tuple[int, bytes], after: tuple[int, bytes], bash: Bash) -> bool:
    return before != after if bash.has_modes else before[1] != after[1]


def _shown(mode: int) -> str:
    return stat.filemode(stat.S_IFREG | mode)


# --- a port that is taken --------------------------------------------------------------------------------------------

#: Programs that tell who holds a port; a system without one of them cannot do the exercise.
_TELLERS = ("ss", "lsof", "fuser", "netstat")

#: What holds a connection to the port, and has no other fault.
_CALLER = """\
import socket, sys, time
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))):
    print("connected", flush=True)
    time.sleep(120)
"""

#: A signal of the answer's reaches the judge's own processes and those of the script itself: none of the learner's.
#: `kill`, `pkill` and `killall` lead here; everyone else that they would have met is written down.
_GUARD = """\
import os, re, signal, subprocess, sys

allowed, refused, tool = set(map(int, sys.argv[1].split(","))), sys.argv[2], sys.argv[3]
number, rest, words = None, [], sys.argv[4:]
names = {name[3:]: value for name, value in signal.Signals.__members__.items()}


def parsed(word):
    word = word.upper().removeprefix("SIG")
    return int(word) if word.isdecimal() else names.get(word)


while words:
    word = words.pop(0)
    if number is not None:
        rest += [word] if word != "--" else []
    elif word in {"-s", "-n", "--signal"} and words:
        number = parsed(words.pop(0))
    elif word.startswith(("--signal=", "-s")) and parsed(re.sub("^(--signal=|-s)", "", word)) is not None:
        number = parsed(re.sub("^(--signal=|-s)", "", word))
    elif word.startswith("-") and not rest and parsed(word[1:]) is not None:
        number = parsed(word[1:])
    elif word != "--":
        rest.append(word)
number = signal.SIGTERM if number is None else number

if tool == "kill":
    pids = [int(word) for word in rest if re.fullmatch(r"-?\\d+", word)]
    if len(pids) != len(rest) or not rest:
        sys.exit("kill: usage: kill [-s sigspec | -sigspec] pid ...")
else:
    asked = [rest] if tool == "pkill" else [["-x", word] for word in rest if not word.startswith("-")]
    found = [subprocess.run(["pgrep", *words], capture_output=True, text=True).stdout for words in asked]
    pids = [int(pid) for pid in " ".join(found).split() if int(pid) != os.getpid()]
bad = not pids
for pid in pids:
    try:
        own = abs(pid) in allowed or os.getsid(abs(pid)) == os.getsid(0)
    except OSError:
        own = True
    if abs(pid) < 2 or not own:
        with open(refused, "a") as file:
            file.write(f"{tool} {pid}\\n")
        continue
    try:
        os.kill(pid, number)
    except OSError as error:
        bad = True
        if tool == "kill":
            print(f"kill: ({pid}) - {error.strerror}", file=sys.stderr)
sys.exit(bad)
"""
_LEAD = """\
kill() {{ case "$*" in *%*|-[lL]*) builtin kill "$@" ;; *) "{shims}/kill" "$@" ;; esac; }}
"""


@judge("linux-command-line-port-taken")
def port_taken(lab: Lab) -> Iterator[Finding]:
    for file in ("who.sh", "stop.sh"):
        lab.text(file)
    bash: Bash | None = lab.backend("bash")
    if bash is None:
        return
    if not bash.has_signals or not any(map(shutil.which, _TELLERS)):
        # The criteria wait: this system cannot do what the exercise is about.
        lab.missing["bash"] = "no-signals" if not bash.has_signals else "no-port-tool"
        return
    with ThreadPoolExecutor() as pool:
        cases = [pool.submit(_case, lab, bash, stubborn) for stubborn in (False, True)]
        polite, stubborn = (case.result() for case in cases)
    fault = "caller" if polite.caller in polite.named else "neighbor" if polite.neighbor in polite.named else ""
    right = polite.named == {polite.holder}
    yield lab.found("finds-holder", right, found=polite.who.told, expected=str(polite.holder), fault=fault, how="real")
    fault = "not-stopped" if polite.ended is None else "impatient" if polite.asked else "killed"
    yield lab.found("politely", polite.saved, found=polite.stop.err.strip(), fault=fault, how="real")
    if polite.ended is not None:
        held = polite.held or stubborn.held
        fault = (
            "endless" if None in (polite.stop.code, stubborn.stop.code) else "too-soon" if polite.held else "ignored"
        )
        yield lab.found(
            "port-free", not held, found=f"127.0.0.1:{polite.port}" if held else "", fault=fault, how="real"
        )
    hit = {**polite.hit, **stubborn.hit}
    yield lab.found("others-live", not hit, found=", ".join(hit.values()), fault=next(iter(hit), ""), how="real")


@dataclass(frozen=True)
class _Case:
    """What `who.sh` and `stop.sh` did to three processes: the port's holder, a caller of it, and a neighbor."""

    port: int
    holder: int
    caller: int
    neighbor: int
    who: Ran
    stop: Ran
    held: bool
    ended: int | None
    asked: bool
    saved: bool
    hit: dict[str, str]

    @property
    def named(self) -> set[int]:
        """Which of the three `who.sh` names."""
        return {int(word) for word in re.findall(r"\d+", self.who.out)} & {self.holder, self.caller, self.neighbor}


def _case(lab: Lab, bash: Bash, stubborn: bool) -> _Case:
    with bash.stage(lab, "who.sh", "stop.sh") as stage, ExitStack() as stack:
        stage.given("cli-holder.py")
        stage.write("caller.py", _CALLER)
        port, other = free_port(), free_port()

        def start(*argv: str) -> process.Service:
            service = process.serving([sys.executable, *argv], folder=stage.folder)
            return stack.enter_context(service)

        holder = start("cli-holder.py", str(port), *(["--stubborn"] if stubborn else []))
        neighbor = start("cli-holder.py", str(other))
        _await(lambda: _listens(port) and _listens(other))
        caller = start("caller.py", str(port))
        _await(lambda: "connected" in caller.log)
        services = (holder, neighbor, caller)
        stack.enter_context(_reaping(services))
        refused = stage.home / "refused.txt"
        guard = _guard(stage, [service.process.pid for service in services], refused)
        who = stage.script("who.sh", str(port), timeout=20, **guard)
        stop = stage.script("stop.sh", str(port), timeout=45, **guard)
        held = _listens(port)
        asked = stage.folder / f"asked-{port}.txt"
        if asked.exists() and not stubborn:
            _await(lambda: not holder.running, patience=4)
        hit = {}
        if not neighbor.running or (stage.folder / f"asked-{other}.txt").exists():
            hit["by-name"] = f"cli-holder.py {other}"
        if refused.exists():
            hit.setdefault("by-name", " ".join(refused.read_text().split()))
        if not caller.running:
            hit["caller"] = "caller.py"
        return _Case(
            port=port,
            holder=holder.process.pid,
            caller=caller.process.pid,
            neighbor=neighbor.process.pid,
            who=who,
            stop=stop,
            held=held,
            ended=holder.process.poll(),
            asked=asked.exists(),
            saved=(stage.folder / f"saved-{port}.txt").exists(),
            hit=hit,
        )


def _guard(stage: Stage, pids: Sequence[int], refused: Path) -> dict[str, Any]:
    """What a script is run with, so that its signals reach `pids` and no stranger."""
    shims = stage.home / "shims"
    shims.mkdir()
    guard, lead = shims / "guard.py", shims / "lead.sh"
    guard.write_text(_GUARD)
    lead.write_text(_LEAD.format(shims=shims))
    for tool in ("kill", "pkill", "killall"):
        shim = shims / tool
        known = ",".join(map(str, pids))
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{guard}" {known} "{refused}" {tool} "$@"\n')
        shim.chmod(0o755)
    return {"first": lead, "PATH": f"{shims}{os.pathsep}{process.environment()['PATH']}"}


@contextmanager
def _reaping(services: Sequence[process.Service]) -> Iterator[None]:
    """Take note when a process ends: one that nobody waits for still looks alive to `kill -0`."""
    done = threading.Event()

    def reap() -> None:
        while not done.wait(0.05):
            for service in services:
                service.process.poll()

    thread = threading.Thread(target=reap, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _await(condition: Callable[[], bool], patience: float = 15) -> None:
    """Wait until something is so, or for as long as `patience` lasts."""
    deadline = time.monotonic() + patience
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
