"""A bucket behind a real S3 API: complete objects, safe to repeat, and a sentence when the storage fails."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curriculum.errors import OutputError
from curriculum.store import store_at
from tests.test_cohort import learners, made, manifest, tree, write_roster

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """moto's server on loopback."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(
    need: Callable[[str], None], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """An empty bucket `school`, and the file system to look into it."""
    need("python:moto")
    need("python:s3fs")
    keys = {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "y", "DEFAULT_REGION": "us-east-1"}
    for name, value in (keys | {"ENDPOINT_URL": request.getfixturevalue("endpoint")}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("school")
    yield files
    files.rm("school", recursive=True)


@pytest.fixture
def busy(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """The same bucket, but it refuses each new object twice, and those of the learner s005 always: how often, by path."""
    serving = pytest.importorskip("werkzeug.serving")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    refused: Counter[str] = Counter()
    app = DomainDispatcherApplication(create_backend_app)

    def refusing(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "PUT" and (refused[path] < 2 or "s005" in path):
            refused[path] += 1
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]
        return app(environ, start_response)

    server = serving.make_server("127.0.0.1", 0, refusing, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    type(bucket).clear_instance_cache()
    yield refused
    server.shutdown()
    type(bucket).clear_instance_cache()


def objects(files: Any, root: str) -> dict[str, bytes]:
    return {path.removeprefix(f"{root}/"): files.cat_file(path) for path in files.find(root)}


def test_a_bucket_holds_what_a_folder_would(bucket: Any, tmp_path: Path) -> None:
    """The same objects; again changes nothing; what a learner has worked in stays."""
    roster = write_roster(tmp_path, learners(12))
    made(roster, tmp_path / "out")
    assert made(roster, "s3://school/spring").counts.made == 12
    assert objects(bucket, "school/spring") == tree(tmp_path / "out")
    assert made(roster, "s3://school/spring").counts.unchanged == 12
    bucket.pipe_file("school/spring/s001/progress.jsonl", b"mine")
    outcome = made(roster, "s3://school/spring", start="2026-12-07")
    assert (outcome.counts.made, outcome.counts.skipped) == (11, 1)
    assert bucket.cat_file("school/spring/s001/study.en.ipynb") == (tmp_path / "out/s001/study.en.ipynb").read_bytes()
    assert len(manifest(tmp_path / "out")) == 12


def test_a_storage_that_lies_is_found_out(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is looked at again."""
    import s3fs

    honest = s3fs.S3FileSystem._pipe_file

    async def lying(self: Any, path: str, data: bytes, **more: Any) -> Any:
        return await honest(self, path, data[:-1] + b"?", **more)

    monkeypatch.setattr(s3fs.S3FileSystem, "_pipe_file", lying)
    with pytest.raises(OutputError) as error:
        store_at("s3://school/x").write("a/study.ipynb", b"content")
    assert error.value.key == "not-as-written"


def test_a_storage_that_is_busy_is_asked_again(bucket: Any, busy: Counter[str], tmp_path: Path) -> None:
    """503 for a while costs time only; 503 for ever is that learner's error, and the next run makes what is missing."""
    roster = write_roster(tmp_path, learners(7))
    outcome = made(roster, "s3://school/busy")
    assert (outcome.counts.made, outcome.counts.failed) == (6, 1)
    assert "s005" in outcome.notable[0]["error"]["en"]
    assert not bucket.exists("school/busy/s005/study.en.ipynb")
    assert max(busy.values()) > 2
    made(roster, tmp_path / "out")
    found, whole = objects(bucket, "school/busy"), tree(tmp_path / "out")
    notebooks = {name for name in whole if name.endswith(".ipynb")}
    assert {name: found[name] for name in notebooks if "s005" not in name} == {
        name: whole[name] for name in notebooks if "s005" not in name
    }


def test_a_bucket_that_is_not_there_is_each_rows_error(bucket: Any, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        made(write_roster(tmp_path, learners(2)), "s3://nowhere-at-all/x")


def test_an_address_that_nothing_knows_is_refused() -> None:
    with pytest.raises(OutputError) as error:
        store_at("nonsense://x").write("a", b"")
    assert error.value.key in {"bad-address", "no-cloud"}
