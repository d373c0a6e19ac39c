"""A cohort: every learner's own notebook, the one that `generate` makes; nothing lost, nothing twice."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curriculum.cli import run
from curriculum.cohort import Cohort, Outcome
from curriculum.errors import CohortError
from curriculum.generation import generate
from curriculum.journal import Journal
from curriculum.roster import open_roster
from tests.conftest import REPOSITORY, SMALL

LEVELS = ("beginner", "intermediate", "advanced")
OPTIONS = {"role": "tester", "start": "2026-11-30"}


def write_roster(folder: Path, rows: list[dict[str, str]], name: str = "roster.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        table.writeheader()
        table.writerows(rows)
    return path


def learners(count: int) -> list[dict[str, str]]:
    return [
        {"id": f"s{n:03}", "name": f"佐藤 {n}", "level": LEVELS[n % 3], "lang": ("ja", "en")[n % 2]}
        for n in range(count)
    ]


def made(
    roster: Path, output: Path | str, *, jobs: int = 1, dask: str = "", update: bool = False, **options: str
) -> Outcome:
    cohort = Cohort(str(output), content=str(SMALL), options=OPTIONS | options, update=update)
    return cohort.run(open_roster(roster), jobs=jobs, dask=dask)


def manifest(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def tree(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in sorted(output.rglob("*")) if path.is_file()}


def test_each_notebook_is_the_one_that_generate_makes(tmp_path: Path) -> None:
    """The same bytes, in the learner's folder; the manifest tells their digest."""
    rows = learners(7)
    outcome = made(write_roster(tmp_path, rows), tmp_path / "out")
    assert (outcome.counts.made, outcome.counts.failed, outcome.plans) == (7, 0, 6)
    for row, line in zip(rows, manifest(tmp_path / "out"), strict=True):
        alone = generate(
            output=tmp_path / "alone",
            content=SMALL,
            learner=row["name"],
            **OPTIONS,
            **{name: value for name, value in row.items() if name != "name"},
        )
        file = tmp_path / "out" / row["id"] / f"study.{row['lang']}.ipynb"
        assert file.read_bytes() == alone.notebook.read_bytes()
        assert line["files"] == [
            {
                "file": f"{row['id']}/study.{row['lang']}.ipynb",
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "bytes": file.stat().st_size,
            }
        ]
        assert line["status"] == "made"
        assert line["request"]["learner"] == row["name"]


def test_the_same_tree_whatever_does_the_work(tmp_path: Path) -> None:
    """One process and two."""
    roster = write_roster(tmp_path, learners(150))
    made(roster, tmp_path / "one")
    made(roster, tmp_path / "two", jobs=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_second_run_changes_nothing_and_keeps_what_the_first_settled(tmp_path: Path) -> None:
    """Without a start date the first run takes the coming Monday; next week it is still that one."""
    roster = write_roster(tmp_path, learners(4))
    made(roster, tmp_path / "out", start="")
    before = tree(tmp_path / "out")
    outcome = made(roster, tmp_path / "out", start="")
    assert (outcome.counts.made, outcome.counts.unchanged) == (0, 4)
    lines = manifest(tmp_path / "out")
    for line in lines:
        line["request"]["start"] = "2026-01-05"
    (tmp_path / "out" / "manifest.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    made(roster, tmp_path / "out", start="")
    assert {line["request"]["start"] for line in manifest(tmp_path / "out")} == {"2026-01-05"}
    assert before.keys() == tree(tmp_path / "out").keys()


def test_what_is_missing_or_changed_is_made(tmp_path: Path) -> None:
    rows = learners(4)
    made(write_roster(tmp_path, rows), tmp_path / "out")
    (tmp_path / "out" / "s001" / "study.en.ipynb").unlink()
    rows[2]["name"] = "鈴木"
    outcome = made(write_roster(tmp_path, rows[:3]), tmp_path / "out")
    assert (outcome.counts.made, outcome.counts.unchanged, outcome.counts.gone) == (2, 1, 1)
    assert [line["status"] for line in manifest(tmp_path / "out")] == ["unchanged", "made", "made", "gone"]
    assert (tmp_path / "out" / "s003" / "study.en.ipynb").exists()


@pytest.mark.parametrize("trace", ["progress.jsonl", "work", "edited", "rubbish"])
def test_a_learners_work_is_never_overwritten(tmp_path: Path, trace: str) -> None:
    """Reported, and left alone; `--update` brings it up to date and keeps what is theirs."""
    rows = learners(2)
    made(write_roster(tmp_path, rows), tmp_path / "out")
    folder = tmp_path / "out" / "s000"
    notebook = folder / "study.ja.ipynb"
    if trace == "progress.jsonl":
        (folder / trace).write_text("")
    elif trace == "work":
        (folder / trace).mkdir()
    elif trace == "edited":
        content = json.loads(notebook.read_text(encoding="utf-8"))
        answer = next(cell for cell in content["cells"] if "answer" in cell["id"])
        answer["source"] = ["%%answer mine\n", "mine"]
        notebook.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    else:
        notebook.write_text("no notebook at all")
    rows[0]["name"], rows[1]["name"] = "改名", "改名"
    before = notebook.read_bytes()
    outcome = made(write_roster(tmp_path, rows), tmp_path / "out")
    assert (outcome.counts.skipped, outcome.counts.made) == (1, 1)
    assert notebook.read_bytes() == before
    assert manifest(tmp_path / "out")[0]["error"]["key"] == "cohort-worked"
    if trace == "rubbish":
        return
    outcome = made(write_roster(tmp_path, rows), tmp_path / "out", update=True)
    assert (outcome.counts.updated, outcome.counts.unchanged) == (1, 1), [line["error"] for line in outcome.notable]
    assert "改名" in notebook.read_text(encoding="utf-8")
    assert ("mine" in notebook.read_text(encoding="utf-8")) == (trace == "edited")


def test_a_bad_row_does_not_spoil_the_rest(tmp_path: Path) -> None:
    """Named by row, column and reason in both languages; the exit code is 1."""
    rows = learners(6)
    rows[1]["level"] = "expertt"
    rows[2]["id"] = "../x"
    rows[3]["id"] = "S000"
    rows[4]["id"] = ""
    roster = write_roster(tmp_path, rows)
    outcome = made(roster, tmp_path / "out")
    assert (outcome.counts.made, outcome.counts.failed) == (2, 4)
    lines = {line["row"]: line for line in manifest(tmp_path / "out")}
    assert {row: lines[row]["error"]["key"] for row in (3, 4, 5, 6)} == {
        3: "unknown-level",
        4: "bad-id",
        5: "cohort-id-alike",
        6: "cohort-no-id",
    }
    assert "expertt" in lines[3]["error"]["ja"]
    assert "expertt" in lines[3]["error"]["en"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["s000", "s005"]
    assert run(["cohort", str(roster), "--output", str(tmp_path / "cli"), "--content", str(SMALL), "--json"]) == 1


def test_an_instructor_gets_one_copy_of_each_plan(tmp_path: Path) -> None:
    outcome = made(write_roster(tmp_path, learners(12)), tmp_path / "out", variant="instructor")
    assert outcome.counts.made == 6
    copies = list((tmp_path / "out" / "instructor").glob("*/study.*.ipynb"))
    assert len(copies) == 6
    assert all('"variant": "instructor"' in copy.read_text(encoding="utf-8") for copy in copies)


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It counts, names the faults, and says once what does not fit."""
    rows = learners(5)
    rows[0]["level"] = "x"
    roster = write_roster(tmp_path, rows)
    argv = ["cohort", str(roster), "--output", str(tmp_path / "out"), "--content", str(SMALL), "--role", "tester"]
    code = run([*argv, "--start", "2026-11-30", "--deadline", "2026-12-01", "--dry-run", "--lang", "en"])
    said = capsys.readouterr().out
    assert code == 1
    assert not (tmp_path / "out").exists()
    assert "4 of 4 learners with a deadline cannot meet it" in said
    assert "Row 2" in said


def test_two_runs_exclude_each_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "out" / ".cohort.sqlite", [])
    try:
        with pytest.raises(CohortError) as refusal:
            made(write_roster(tmp_path, learners(1)), tmp_path / "out")
        assert refusal.value.key == "cohort-locked"
    finally:
        journal.close(done=True)
    assert made(write_roster(tmp_path, learners(1)), tmp_path / "out").counts.made == 1


def test_a_torn_journal_and_manifest_cost_nothing(tmp_path: Path) -> None:
    """The files themselves tell what is there."""
    roster = write_roster(tmp_path, learners(3))
    made(roster, tmp_path / "out")
    (tmp_path / "out" / "manifest.jsonl").write_bytes(b'{"id": "s000", "row"\xff\xfe\n[]\n')
    (tmp_path / "out" / ".cohort.sqlite").write_bytes(b"rubbish" * 1000)
    assert made(roster, tmp_path / "out").counts.unchanged == 3


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its learners are made by another one."""
    monkeypatch.setenv("CURRICULUM_TEST_KILL", str(tmp_path / "killed"))
    from curriculum import copies

    true = copies.write_chunk

    def fatal(store: Any, chunk: Any) -> Any:
        mark = tmp_path / "killed"
        if not mark.exists():
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return true(store, chunk)

    import multiprocessing

    if multiprocessing.get_start_method() != "fork":
        pytest.skip("the worker is patched by forking")
    monkeypatch.setattr("curriculum.cohort.write_chunk", fatal)
    monkeypatch.setattr(copies, "write_chunk", fatal)
    fatal.__module__, fatal.__qualname__ = "curriculum.copies", "write_chunk"
    outcome = made(write_roster(tmp_path, learners(20)), tmp_path / "out", jobs=2)
    assert (outcome.counts.made, outcome.counts.failed) == (20, 0)


def kill_at_random(tmp_path: Path, times: int, seed: int = 0) -> None:
    """`kill -9` at random moments, then the same command to its end: every notebook there, none half, no leftovers."""
    roster = write_roster(tmp_path, learners(300))
    out, whole = tmp_path / "out", tmp_path / "whole"
    argv = [sys.executable, "-m", "curriculum", "cohort", str(roster), "--content", str(SMALL), "--json"]
    argv += ["--role", "tester", "--start", "2026-11-30", "--jobs", "1", "--output"]
    subprocess.run([*argv, str(whole)], check=True, capture_output=True, cwd=REPOSITORY)
    (out / "s007").mkdir(parents=True)
    (out / "s007" / "progress.jsonl").write_text('{"mine": 1}\n')
    draw = random.Random(seed)
    for _ in range(times):
        process = subprocess.Popen(
            [*argv, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY
        )
        time.sleep(draw.uniform(0.3, 1.6))
        process.kill()
        process.wait()
    ended = subprocess.run([*argv, str(out)], capture_output=True, cwd=REPOSITORY)
    assert ended.returncode == 0, ended.stderr
    there, wanted = tree(out), tree(whole)
    assert there.pop("s007/progress.jsonl") == b'{"mine": 1}\n'
    assert {name for name in there if not name.startswith("s")} == {"manifest.jsonl", "index.html", "cohort.csv"}
    assert {name: text for name, text in there.items() if name.startswith("s")} == {
        name: text for name, text in wanted.items() if name.startswith("s")
    }


# A machine may be so busy that a moment is not where it should be.
@pytest.mark.flaky(reruns=1)
def test_killed_and_started_again_it_ends_as_if_never_killed(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 3)


@pytest.mark.flaky(reruns=1)
def test_ctrl_c_ends_with_a_true_manifest(tmp_path: Path) -> None:
    """Exit code 130; what the manifest tells is there."""
    roster = write_roster(tmp_path, learners(3000))
    argv = [sys.executable, "-m", "curriculum", "cohort", str(roster), "--content", str(SMALL), "--role", "tester"]
    out = tmp_path / "out"
    process = subprocess.Popen([*argv, "--output", str(out), "--jobs", "1"], stdout=subprocess.DEVNULL, cwd=REPOSITORY)
    while not list(out.glob("s*")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    lines = manifest(out)
    assert 0 < len(lines) < 3000
    for line in lines:
        for file in line["files"]:
            assert hashlib.sha256((out / file["file"]).read_bytes()).hexdigest() == file["sha256"]
    assert {line["id"] for line in lines} == {path.name for path in out.iterdir() if path.is_dir()}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    code = run(
        ["cohort", str(write_roster(tmp_path, learners(1))), "--output", str(tmp_path / "out"), "--content", str(SMALL)]
    )
    assert code == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("most", [15_000, 60_000], ids=["a notebook", "the journal"])
def test_a_full_disk_is_told_and_costs_nothing(tmp_path: Path, most: int) -> None:
    """The system refuses longer files, as a full disk would; with room again the same command makes the rest."""
    roster = write_roster(tmp_path, learners(300))
    argv = ["cohort", str(roster), "--output", str(tmp_path / "out"), "--content", str(SMALL), "--role", "tester"]
    argv += ["--start", "2026-11-30", "--jobs", "1", "--json"]
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))"
    code = f"{limit}; from curriculum.cli import run; raise SystemExit(run({argv!r}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=REPOSITORY)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert not list((tmp_path / "out").rglob("*.part"))
    assert run(argv) == 0
    made(roster, tmp_path / "whole")
    notebooks = {name: text for name, text in tree(tmp_path / "whole").items() if name.endswith(".ipynb")}
    assert {name: text for name, text in tree(tmp_path / "out").items() if name.endswith(".ipynb")} == notebooks


@pytest.mark.backend
def test_a_cluster_makes_the_same_tree(tmp_path: Path, need: Callable[[str], None]) -> None:
    """Two workers of a real Dask cluster."""
    need("python:distributed")
    import distributed

    roster = write_roster(tmp_path, learners(150))
    made(roster, tmp_path / "one")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as cluster:
        outcome = made(roster, tmp_path / "dask", dask=cluster.scheduler_address)
    assert outcome.counts.made == 150
    assert tree(tmp_path / "one") == tree(tmp_path / "dask")
