"""Where a start command makes a Python web server listen. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from curriculum.labs.dockerfile import Start, shell_commands

#: Addresses that mean every address of the machine.
EVERYWHERE = frozenset({"0.0.0.0", "::", "[::]", "*", ""})


def listens(start: Start | None, env: Mapping[str, str]) -> tuple[str, str] | None:
    """The address and the port that a container's start command listens on; None where the command does not tell.

    `env` is what the container's environment says; a shell in the command fills it in, a list is taken word by word.
    """
    if start is None:
        return None
    words: Sequence[str] = start.words
    if (script := start.shell_script) is not None:
        commands = shell_commands(_expanded(script, env))
        servers = [command for command in commands if _server(command)]
        words = servers[-1] if servers else ()
    return _address(list(words), env)


def _server(words: Sequence[str]) -> str:
    """The server that a command starts, or an empty string."""
    names = [posixpath.basename(word) for word in words]
    for name in ("uvicorn", "gunicorn", "hypercorn", "fastapi"):
        if name in names:
            return name
    return ""


def _address(words: list[str], env: Mapping[str, str]) -> tuple[str, str] | None:
    server = _server(words)
    if server == "uvicorn":
        host = _option(words, "--host") or env.get("UVICORN_HOST") or "127.0.0.1"
        return host, _option(words, "--port") or env.get("UVICORN_PORT") or "8000"
    if server == "fastapi" and ("run" in words or "dev" in words):
        host = _option(words, "--host") or ("0.0.0.0" if "run" in words else "127.0.0.1")
        return host, _option(words, "--port") or env.get("PORT") or "8000"
    if server in {"gunicorn", "hypercorn"}:
        extra = env.get("GUNICORN_CMD_ARGS", "").split() if server == "gunicorn" else []
        bind = _option([*extra, *words], "--bind", "-b")
        if not bind:
            bind = f"0.0.0.0:{env['PORT']}" if server == "gunicorn" and env.get("PORT") else "127.0.0.1:8000"
        host, _, port = bind.rpartition(":")
        return host, port
    return None


def _option(words: Sequence[str], *names: str) -> str:
    """The last value of an option, written as `--port 80`, `--port=80` or `-b80`."""
    found = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        for name in names:
            if word == name:
                found = after
            elif word.startswith(f"{name}="):
                found = word.partition("=")[2]
            elif len(name) == 2 and word.startswith(name) and len(word) > 2:
                found = word[2:]
    return found


def _expanded(text: str, env: Mapping[str, str]) -> str:
    from e2b_dockerfile_utils import ShellLex

    try:
        return ShellLex("\\", env=env, raw_quotes=True, raw_escapes=True, skip_unset_env=False).process_word(text)
    except ValueError:
        return text
