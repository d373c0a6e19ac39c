"""What is read from Dockerfiles, `.dockerignore`, Compose files and `docker run` commands without starting anything."""

from __future__ import annotations

import pytest
import yaml

from curriculum.errors import AnswerError
from curriculum.labs.asgi import listens
from curriculum.labs.compose import Compose, parse_compose
from curriculum.labs.dockerfile import Image, parse_dockerfile, parse_ignore, shell_commands
from curriculum.labs.dockerrun import read_docker_runs

# --- Dockerfile -------------------------------------------------------------------------------------------------------


def test_variables_are_filled_in_where_docker_fills_them_in() -> None:
    dockerfile = parse_dockerfile(
        "ARG VERSION=3.12\nFROM python:${VERSION}-slim\nARG VERSION\nENV A=1 B=$A\nUSER ${B:-2}\n"
        'RUN echo $A\nENV C="$VERSION $B" PATH=/venv/bin:$PATH\nCMD ["echo", "$A"]\n'
    )
    stage = dockerfile.last
    assert stage.base == Image("python", "3.12-slim")
    # One ENV line does not see its own variables; what is not known stays as it is written.
    assert stage.env == {"A": "1", "B": "$A", "C": "3.12 $A", "PATH": "/venv/bin:$PATH"}
    assert stage.start and stage.start.words == ("echo", "$A")
    assert stage.instructions[3].commands == (("echo", "$A"),)


def test_a_stage_takes_over_what_the_stage_below_it_set() -> None:
    dockerfile = parse_dockerfile(
        'FROM busybox AS Base\nWORKDIR /srv\nUSER 7\nENV A=1\nEXPOSE 80\nCMD ["a"]\n'
        'FROM other:1 AS unused\nFROM base\nWORKDIR sub\nENTRYPOINT ["b"]\n'
    )
    last = dockerfile.last
    assert (last.user, last.workdir, dict(last.env), last.exposed) == ("7", "/srv/sub", {"A": "1"}, frozenset({"80"}))
    # A new ENTRYPOINT forgets the CMD of the image below.
    assert last.start and last.start.words == ("b",)
    assert [stage.index for stage in dockerfile.used] == [0, 2]
    assert dockerfile.images == ("busybox",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('ENTRYPOINT ["a"]\nCMD ["b"]', ("a", "b")),
        ('CMD ["b"]\nENTRYPOINT ["a"]', ("a", "b")),
        ('ENTRYPOINT ["a"]\nCMD b c', ("a", "/bin/sh", "-c", "b c")),
        ('ENTRYPOINT a\nCMD ["b"]', ("a",)),
        ("CMD b c", ("b c",)),
        ("CMD ['b', 'c']", ("['b', 'c']",)),
    ],
)
def test_what_a_container_starts(text: str, words: tuple[str, ...]) -> None:
    """The last case is a shell's text: JSON has double quotes only."""
    start = parse_dockerfile(f"FROM x\n{text}\n").last.start
    assert start and start.words == words


def test_heredocs_continuations_and_the_escape_directive() -> None:
    dockerfile = parse_dockerfile(
        "# escape=`\nFROM x\nRUN a && `\n  # a comment between\n  b\nRUN <<END\nset -e\npip install c\nEND\nCOPY <<F /f\nx\nF\n"
    )
    first, second, third = dockerfile.last.instructions
    assert first.commands == (("a",), ("b",))
    assert (("pip", "install", "c")) in second.commands
    assert (third.sources, third.target) == ((), "/f")


def test_what_is_copied_and_mounted() -> None:
    dockerfile = parse_dockerfile(
        "FROM x AS build\nCOPY --exclude=*.md . /a\nFROM y\nCOPY --from=build /a /a\nCOPY --from=tool:1 /t /t\n"
        "RUN --mount=type=bind,source=req.txt,target=/r --mount=type=secret,id=s --mount=type=cache,target=/c true\n"
    )
    copy = dockerfile.stages[0].instructions[0]
    assert copy.takes("app.py") and copy.takes("sub/app.py") and not copy.takes("read.md")
    run = dockerfile.last.instructions[2]
    assert [mount["type"] for mount in run.mounts] == ["bind", "secret", "cache"]
    assert run.takes("req.txt") and not run.takes("app.py")
    assert dockerfile.images == ("x", "y", "tool:1")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "no build stage"),
        ("RUN a\n", 1, "no build stage"),
        ("FROM a b\n", 1, "either one or three arguments"),
        ("FROM a\n\nFORM b\n", 3, "unknown instruction: FORM"),
        ("FROM a\nUSER\n", 2, "requires at least one argument"),
        ("FROM a\nRUN <<END\nx\n", 2, "unterminated heredoc"),
    ],
)
def test_what_docker_cannot_read_is_told_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(AnswerError) as told:
        parse_dockerfile(text)
    assert told.value.params["line"] == line
    assert problem in told.value.params["problem"]


@pytest.mark.parametrize(
    ("reference", "pinned", "short"),
    [
        ("python", False, "python"),
        ("python:latest", False, "python"),
        ("docker.io/library/python:3.12", True, "python"),
        ("localhost:5000/python", False, "localhost:5000/python"),
        ("localhost:5000/python:1", True, "localhost:5000/python"),
        ("python@sha256:00", True, "python"),
    ],
)
def test_names_of_images(reference: str, pinned: bool, short: str) -> None:
    image = Image.of(reference)
    assert (image.pinned, image.short, str(image)) == (pinned, short, reference)


def test_commands_of_a_shell() -> None:
    text = "set -eux; a 'b c' && d | e > f # g\n# h\nif i; then j; fi"
    commands = shell_commands(text)
    assert ("a", "b c") in commands and ("d",) in commands
    assert not any("g" in words or "h" in words for words in commands)


# --- .dockerignore ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "path", "hidden"),
    [
        (".env", "sub/.env", False),
        ("**/.env", "sub/.env", True),
        ("**/.env", ".env", True),
        (".git", ".git/config", True),
        ("/.git/", ".git/config", True),
        ("*\n!app.py", "app.py", False),
        ("*\n!app.py", ".env", True),
        ("!.env\n.env", ".env", True),
        ("# .env", ".env", False),
        ("*.md\n!README.md", "README.md", False),
    ],
)
def test_dockerignore(patterns: str, path: str, hidden: bool) -> None:
    assert parse_ignore(patterns).hides(path) is hidden


# --- where a server listens -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ('["uvicorn", "app:app"]', ("127.0.0.1", "8000")),
        ('["uvicorn", "app:app", "--host=0.0.0.0", "--port=80"]', ("0.0.0.0", "80")),
        ('["python", "-m", "uvicorn", "app:app", "--port", "$PORT"]', ("127.0.0.1", "$PORT")),
        ("exec uvicorn app:app --host 0.0.0.0 --port $PORT", ("0.0.0.0", "9000")),
        ('["sh", "-c", "uvicorn app:app --port ${PORT:-1}"]', ("127.0.0.1", "9000")),
        ('["gunicorn", "app:app", "-k", "uvicorn.workers.UvicornWorker", "-b", "0.0.0.0:80"]', ("0.0.0.0", "80")),
        ('["fastapi", "run", "app.py", "--port", "80"]', ("0.0.0.0", "80")),
        ('["python", "serve.py"]', None),
    ],
)
def test_where_a_server_listens(command: str, place: tuple[str, str] | None) -> None:
    stage = parse_dockerfile(f"FROM x\nENV PORT=9000\nCMD {command}\n").last
    assert listens(stage.start, stage.env) == place


# --- Compose ----------------------------------------------------------------------------------------------------------


def compose(text: str, **known: str) -> Compose:
    return parse_compose(list(yaml.safe_load_all(text)), known=known)


def test_long_and_short_forms_say_the_same() -> None:
    short = """
services:
  a:
    build: .
    ports: ["127.0.0.1:1:2"]
    volumes: ["vol:/v:ro", "./c:/c"]
    environment: ["A=1", "B"]
    depends_on: [b]
    command: x "y z"
    mem_limit: 128m
    healthcheck: {test: x}
  b: {image: "b:1"}
volumes: {vol: }
"""
    long = """
services:
  a:
    build: {context: .}
    ports: [{target: 2, published: 1, host_ip: 127.0.0.1}]
    volumes: [{type: volume, source: vol, target: /v, read_only: true}, {type: bind, source: ./c, target: /c}]
    environment: {A: 1, B: }
    depends_on: {b: {condition: service_started}}
    command: [x, y z]
    deploy: {resources: {limits: {memory: 134217728}}}
    healthcheck: {test: [CMD-SHELL, x]}
  b: {image: "b:1"}
volumes: {vol: {}}
"""
    one, two = (compose(text).services["a"] for text in (short, long))
    for name in ("build", "ports", "mounts", "environment", "depends_on", "command", "memory", "healthcheck"):
        assert getattr(one, name) == getattr(two, name), name
    assert one.ports[0].loopback


def test_variables_come_from_the_file_beside_it() -> None:
    text = "services: {a: {image: 'x:${TAG:-1}', command: ['$$HOME', '$OTHER']}}"
    assert str(compose(text).services["a"].image) == "x:1"
    service = compose(text, TAG="2").services["a"]
    assert (str(service.image), service.command) == ("x:2", ("$HOME", ""))


@pytest.mark.parametrize(
    "text", ["[]", "services: []", "services: {a: 1}", "a: 1", "services: {a: {ports: ['1:2:3:4']}}"]
)
def test_what_compose_could_not_read_either(text: str) -> None:
    with pytest.raises(AnswerError):
        compose(text)


# --- docker run -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "docker run -d --name n -p 127.0.0.1:1:2 -e A=b -v vol:/m i c",
        "docker container run -itd --name=n --publish=127.0.0.1:1:2 --env A=b --mount type=volume,src=vol,dst=/m i c",
        "docker run -d \\\n  --name n -p127.0.0.1:1:2 \\\n  -eA=b -v vol:/m i c",
        "docker run -d `\n  --name n -p 127.0.0.1:1:2 -e A=b `\n  -v vol:/m i c",
        "N=n\nset -e; docker rm -f $N || true\nsudo docker run -d --name $N -p 127.0.0.1:1:2 -e A=b -v vol:/m i c # d",
    ],
)
def test_docker_run_in_many_words(script: str) -> None:
    run = read_docker_runs(script)[-1]
    assert (run.value("name"), run.image, run.command) == ("n", "i", ("c",))
    assert run.switched("detach")
    assert str(run.ports[0]) == "127.0.0.1:1:2"
    assert run.environment == {"A": "b"}
    assert [(mount.type, mount.source, mount.target) for mount in run.mounts] == [("volume", "vol", "/m")]


def test_flags_behind_the_image_belong_to_the_program() -> None:
    run = read_docker_runs('docker run i -p 1:2\ndocker run -v "$(pwd)":/m -v /n i')[0]
    assert (run.ports, run.command) == ((), ("-p", "1:2"))


def test_a_folder_of_the_machine_is_no_volume() -> None:
    for source in ('"$(pwd)"', "./m", "/m", "C:\\\\m", "~/m"):
        assert read_docker_runs(f"docker run -v {source}:/m i")[0].mounts[0].type == "bind", source
    anonymous = read_docker_runs("docker run -v /m i")[0].mounts[0]
    assert (anonymous.type, anonymous.source) == ("volume", "")
