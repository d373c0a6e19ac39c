"""The `curriculum` command: argv → request → call → words and exit code. The only place that prints.

Exit codes: 0 done · 1 a value or content at fault · 2 the command line was not understood · 3 our bug · 130 interrupted.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curriculum import __version__

if TYPE_CHECKING:
    from curriculum.catalog import Catalog
    from curriculum.roadmap import Roadmap

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    code = run(list(sys.argv[1:] if argv is None else argv))
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        # What was printed does not fit on a full disk. Python would try once more at its end, and leave with 120.
        code = code or 1
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(argv: list[str]) -> int:
    """Run the command and return its exit code; whatever goes wrong becomes a sentence."""
    # A command is short-lived: collecting garbage would cost more time than the memory is worth.
    gc.set_threshold(200_000)
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a character shows a substitute; it never crashes.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")
    as_json = "--json" in argv
    try:
        result = cli.main(argv, prog_name="curriculum", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        lang = _language(argv)
        _refuse(
            as_json,
            lang,
            "usage",
            2,
            _say(
                lang,
                "cli.usage",
                problem=_misunderstood(lang, error),
                command=error.ctx.command_path if error.ctx else "curriculum",
            ),
        )
        return 2
    except click.Abort:
        if not as_json:
            click.echo(err=True)
        return 130
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except click.ClickException as error:
        _refuse(as_json, _language(argv), "click", 1, error.format_message())
        return 1
    except Exception as error:
        from curriculum.errors import CurriculumError

        lang = _language(argv)
        if isinstance(error, CurriculumError):
            _refuse(as_json, lang, error.key, 1, error.sentence(lang))
            return 1
        if isinstance(error, OSError):
            # A folder that may not be read, a full disk behind a redirect: the machine's, not ours.
            problem = error.strerror or type(error).__name__
            _refuse(as_json, lang, "system", 1, _say(lang, "cli.system", path=error.filename or "–", problem=problem))
            return 1
        import traceback

        _refuse(as_json, lang, "bug", 3, _say(lang, "cli.bug", problem=f"{type(error).__name__}: {error}"))
        if not as_json:
            click.echo(traceback.format_exc(), err=True)
        return 3


def _misunderstood(lang: str, error: click.UsageError) -> str:
    """What was wrong with the command line. click knows English; what people mistype most is said in their language."""
    from curriculum.errors import near, with_near

    if isinstance(error, click.NoSuchOption):
        key, value = "cli.no-such-option", error.option_name
    elif isinstance(error, click.exceptions.NoSuchCommand):
        key, value = "cli.no-such-command", error.command_name
    elif isinstance(error, click.MissingParameter) and error.param and error.ctx:
        return _say(lang, "cli.missing-option", option=error.param.make_metavar(error.ctx))
    else:
        return error.format_message()
    guess = near(value, error.possibilities or ())
    return _say(lang, key, **with_near(lang, {"value": value, "near": guess}))


def _refuse(as_json: bool, lang: str, key: str, code: int, message: str) -> None:
    with contextlib.suppress(OSError):
        if as_json:
            _print_json({"error": {"key": key, "message": message, "exit_code": code}})
        else:
            click.echo(f"{_say(lang, 'cli.error')}{message}", err=True)


def _language(argv: Sequence[str]) -> str:
    """The language for refusals: the one asked for, where it can be understood, else the system's."""
    from curriculum.errors import CurriculumError
    from curriculum.request import find_language, system_language

    for n, word in enumerate(argv):
        value = (
            word.removeprefix("--lang=")
            if word.startswith("--lang=")
            else argv[n + 1]
            if word == "--lang" and n + 1 < len(argv)
            else None
        )
        if value:
            try:
                return find_language(value)
            except CurriculumError:
                break
    return system_language()


def _terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; a closed one is none."""
    return bool(stream) and stream.isatty()


def _say(lang: str, key: str, **params: object) -> str:
    from curriculum.messages import say

    return say(lang, key, **params)


def _print_json(value: object) -> None:
    utf8 = (getattr(sys.stdout, "encoding", "") or "").lower().startswith("utf")
    click.echo(json.dumps(value, ensure_ascii=not utf8, indent=2, default=str))


def _catalog(content: str | None) -> Catalog:
    from curriculum.catalog import catalog_at

    return catalog_at(content)


def _complete(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
        from curriculum.model import LEVELS

        catalog = _catalog(context.params.get("content"))
        if kind == "level":
            names: Iterable[str] = LEVELS
        elif kind == "role":
            names = catalog.role_files
        else:
            names = sorted({tool for slug in catalog.role_files for tool in catalog.role(slug).names})
        head, comma, last = begun.rpartition(",")
        return [f"{head}{comma}{name}" for name in names if name.startswith(last)]

    return complete


Command = Callable[..., Any]


def _option_lang(command: Command) -> Command:
    return click.option("--lang", metavar="LANG", default="", help="Language: ja or en. Default: your system's.")(
        command
    )


_option_depth = click.option(
    "--depth",
    metavar="NEED",
    default="",
    help="How far the plan goes: must (the core), should (what is recommended too; the default), could (everything).",
)


def _option_content(command: Command) -> Command:
    return click.option("--content", metavar="DIR", help="A content pack that stands over ours.")(command)


def _option_json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")(command)


def _request_options(command: Command) -> Command:
    """The options that `generate` and `plan` share."""
    options: list[Callable[[Command], Command]] = [
        click.option(
            "--role",
            metavar="ROLE",
            default="",
            help="Role, e.g. mlops-engineer or MLOpsエンジニア.",
            shell_complete=_complete("role"),
        ),
        click.option(
            "--level",
            metavar="LEVEL",
            default="",
            help="beginner, intermediate or advanced (初級, 中級, 上級).",
            shell_complete=_complete("level"),
        ),
        _option_lang,
        click.option(
            "--id", metavar="ID", default="", help="The learner's id: names the folder and draws the personal values."
        ),
        click.option("--learner", metavar="NAME", default="", help="The learner's name, as it stands in the notebook."),
        click.option(
            "--known",
            metavar="TOOLS",
            multiple=True,
            help="Tools you know already, e.g. git,docker.",
            shell_complete=_complete("tool"),
        ),
        click.option("--hours-per-week", metavar="HOURS", default="8", show_default=True, help="Your pace."),
        click.option(
            "--start",
            metavar="DATE",
            default="",
            help="First day. Default: today if it is a Monday, else the coming Monday.",
        ),
        click.option(
            "--deadline", metavar="DATE", default="", help="Last day; the plan says honestly whether it can be met."
        ),
        click.option(
            "--pause", metavar="FROM..TO", multiple=True, help="Days without study, both included. Repeatable."
        ),
        click.option("--phase", metavar="PHASE", multiple=True, help="Only these phases, by number or id. Repeatable."),
        click.option(
            "--only", metavar="TOOLS", multiple=True, help="Only these tools.", shell_complete=_complete("tool")
        ),
        click.option(
            "--prefer",
            metavar="TOOLS",
            multiple=True,
            help="These tools too; of several for one job, these.",
            shell_complete=_complete("tool"),
        ),
        _option_depth,
        click.option(
            "--industry",
            metavar="INDUSTRY",
            default="",
            help="Where the exercises' story plays: tech, finance, automotive, healthcare, manufacturing.",
        ),
        click.option("--fit", is_flag=True, help="Keep what meets the deadline; list what was left out."),
        _option_content,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _cohort_options(command: Command) -> Command:
    """What `generate` takes and a roster may leave open. Nothing is said that nobody typed."""
    options: list[Callable[[Command], Command]] = [
        click.option(
            "--role", metavar="ROLE", default="", help="Role of whoever has none.", shell_complete=_complete("role")
        ),
        click.option("--level", metavar="LEVEL", default="", help="Their level.", shell_complete=_complete("level")),
        _option_lang,
        click.option("--known", metavar="TOOLS", multiple=True, help="Tools they know already."),
        click.option("--hours-per-week", metavar="HOURS", default="", help="Their pace. Default: 8."),
        click.option(
            "--start", metavar="DATE", default="", help="First day. Default: the coming Monday of the first run."
        ),
        click.option("--deadline", metavar="DATE", default="", help="Last day."),
        click.option("--pause", metavar="FROM..TO", multiple=True, help="Days without study. Repeatable."),
        click.option("--phase", metavar="PHASE", multiple=True, help="Only these phases. Repeatable."),
        click.option("--only", metavar="TOOLS", multiple=True, help="Only these tools."),
        click.option(
            "--prefer", metavar="TOOLS", multiple=True, help="These tools too; of several for one job, these."
        ),
        _option_depth,
        click.option("--industry", metavar="INDUSTRY", default="", help="Where the exercises' story plays."),
        click.option("--fit", is_flag=True, help="Keep what meets the deadline."),
        click.option("--single", is_flag=True, help="One notebook each, however long."),
        _option_content,
    ]
    for option in reversed(options):
        command = option(command)
    return command


class Sections(click.Group):
    """Lists the commands in the order in which people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Sections, context_settings=_SETTINGS)
@click.version_option(__version__, "-V", "--version", message="curriculum %(version)s")
def cli() -> None:
    """Personal study notebooks from a role and a level.

    \b
    Examples:
      curriculum generate --role mlops-engineer --level beginner --lang ja
      curriculum generate                     (asks, and shows the command it amounts to)
      curriculum plan --role mlops-engineer --level advanced --hours-per-week 12
      curriculum show tool docker
      curriculum lint
    """


@cli.command()
@_request_options
@click.option(
    "--single", is_flag=True, help="One notebook, however long (else above 165 cells: a map and one per phase)."
)
@click.option(
    "--variant",
    metavar="VARIANT",
    default="learner",
    show_default=True,
    help="learner, or instructor: with solutions and notes.",
)
@click.option("--output", metavar="DIR", default="output", show_default=True, help="Where the study folder is made.")
@_option_json
@click.pass_context
def generate(context: click.Context, /, output: str, content: str | None, as_json: bool, **options: Any) -> None:
    """Write a study notebook.

    Without options, in a terminal, it asks. It never overwrites a notebook.

    \b
    Examples:
      curriculum generate --role mlops-engineer --level beginner --lang ja
      curriculum generate --level 中級 --known docker,git --hours-per-week 6
      curriculum generate --level advanced --deadline 2027-03-31 --fit
      curriculum generate --level beginner --only docker --variant instructor
    """
    options = _asked(context, options, content, as_json)
    from curriculum.generation import generate as write

    study = write(output=output, content=content, **options)
    if as_json:
        _print_json(study.as_dict())
        return
    lang = study.request.lang
    from curriculum.request import number
    from curriculum.roadmap import long_date

    plan = study.plan
    click.echo(_say(lang, "cli.made", path=study.notebook))
    for path in study.files[1:]:
        click.echo(f"  {path}")
    click.echo(
        _say(
            lang,
            "cli.made-plan",
            tools=len(plan.steps),
            hours=number(plan.hours),
            pace=number(plan.request.hours_per_week),
            weeks=plan.weeks,
            end=long_date(plan.end, lang),
        )
    )
    for sentence in study.roadmap.deadline():
        click.echo(sentence)
    left_out = [skip for skip in plan.skipped if skip.reason.key == "left-out"]
    for skip in left_out:
        click.echo(f"- {study.roadmap.why_skip(skip)}")
    import importlib.util

    if importlib.util.find_spec("jupyterlab") is None:
        click.echo(
            _say(lang, "cli.install-jupyter", line=f'{_quoted([sys.executable])} -m pip install "curriculum[jupyter]"')
        )
    click.echo(_say(lang, "cli.open-with", line=_quoted([*_this_command(), "open", str(study.notebook)])))


def _quoted(words: list[str]) -> str:
    """A command line that can be pasted into this system's shell."""
    import shlex

    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _this_command() -> list[str]:
    """How to call us: by name where the shell finds the name, else through this interpreter."""
    import shutil

    return ["curriculum"] if shutil.which("curriculum") else [sys.executable, "-m", "curriculum"]


def _asked(context: click.Context, options: dict[str, Any], content: str | None, as_json: bool) -> dict[str, Any]:
    """Options with what is missing filled in: asked for in a terminal, refused elsewhere."""
    catalog = _catalog(content)
    if not options["role"] and len(catalog.role_files) == 1:
        options = {**options, "role": next(iter(catalog.role_files))}
    if options["role"] and options["level"]:
        return options
    if as_json or not _terminal(sys.stdin):
        missing = "--level" if options["role"] else "--role"
        raise click.UsageError(_say(_language(sys.argv), "cli.missing-option", option=missing), context)
    from curriculum.interview import interview

    asked = interview(catalog, options)
    click.echo(_say(asked["lang"], "ask.command", line=_quoted(_amounts_to(context, options, asked))))
    return asked


def _amounts_to(context: click.Context, options: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """The command that does the same without questions: what was given, and what was answered."""
    command = [*_this_command(), "generate"]
    given = {**context.params, **asked}
    for parameter in context.command.params:
        name = str(parameter.name)
        value = given.get(name)
        source = context.get_parameter_source(name)
        if name == "as_json" or (asked.get(name) == options.get(name) and source == click.core.ParameterSource.DEFAULT):
            continue
        flag = parameter.opts[0]
        if value is True:
            command.append(flag)
        elif isinstance(value, list | tuple):
            command += [flag, ",".join(map(str, value))] if name == "known" and value else []
            command += [word for entry in value for word in (flag, str(entry))] if name != "known" else []
        elif value not in ("", None, False):
            command += [flag, str(value)]
    return command


@cli.command()
@_request_options
@_option_json
@click.option("--ics", metavar="FILE", help="Write the steps as calendar entries.")
@click.pass_context
def plan(context: click.Context, /, content: str | None, as_json: bool, ics: str | None, **options: Any) -> None:
    """Show the roadmap without writing a notebook.

    \b
    Examples:
      curriculum plan --level beginner
      curriculum plan --level advanced --deadline 2027-03-31 --fit --json
      curriculum plan --level beginner --ics roadmap.ics
    """
    catalog = _catalog(content)
    if not options["role"] and len(catalog.role_files) == 1:
        options["role"] = next(iter(catalog.role_files))
    for name in ("role", "level"):
        if not options[name]:
            raise click.UsageError(_say(_language(sys.argv), "cli.missing-option", option=f"--{name}"), context)
    from curriculum.generation import roadmap as draw

    roadmap = draw(content=content, **options)
    if ics:
        from curriculum.generation import write_all
        from curriculum.ics import calendar

        path = Path(ics)
        if path.exists():
            from curriculum.errors import OutputError

            raise OutputError("file-exists", path=ics)
        write_all({path: calendar(roadmap)})
    if as_json:
        _print_json(roadmap.as_dict())
        return
    _show_plan(roadmap)
    if ics:
        click.echo(_say(roadmap.lang, "cli.wrote", path=ics))


def _console() -> Any:
    from rich.console import Console

    # A pipe has no width; a table should not be cut for it.
    return Console(width=None if _terminal(sys.stdout) else 140, highlight=False)


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _show_plan(roadmap: Roadmap) -> None:
    from rich.text import Text

    from curriculum.request import number
    from curriculum.roadmap import hours, long_date, span

    lang, result = roadmap.lang, roadmap.plan
    console = _console()
    heading = _say(
        lang, "cli.plan-title", role=_in(roadmap.role.title, lang), level=roadmap.level_title(result.request.level)
    )
    console.print(Text(heading, style="bold"))
    table = _table(*(_say(lang, f"cli.column-{name}") for name in ("tool", "hours", "dates", "made-of", "why")))
    for phase in result.phases:
        if phase.steps:
            title = _say(lang, "timeline.phase", number=phase.number, title=roadmap.phase_title(phase.phase))
            table.add_row(
                Text(title, style="bold"), hours(phase.minutes, lang), Text(roadmap.document_months(phase)), "", ""
            )
        for step in phase.steps:
            cells = (
                f"  {roadmap.title(step.tool)}",
                hours(step.minutes, lang),
                span(step.start, step.end, lang),
                roadmap.made_of(step),
                roadmap.why_step(step),
            )
            table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    end = long_date(result.end, lang)
    console.print(
        Text(
            _say(
                lang,
                "cli.made-plan",
                tools=len(result.steps),
                hours=number(result.hours),
                pace=number(result.request.hours_per_week),
                weeks=result.weeks,
                end=end,
            )
        )
    )
    for sentence in roadmap.deadline():
        console.print(Text(sentence))
    in_one_line = ("assumed", "optional")
    told = [skip for skip in result.skipped if skip.reason.key not in {*in_one_line, "not-chosen", "other-phase"}]
    if told:
        console.print(Text("\n" + _say(lang, "cli.skipped"), style="bold"))
        for skip in told:
            console.print(Text(f"- {roadmap.why_skip(skip)}"))
    for key in in_one_line:
        titles = [roadmap.title(skip.tool) for skip in result.skipped if skip.reason.key == key]
        if titles:
            console.print(Text("\n" + _say(lang, f"cli.{key}", tools=titles)))


def _in(text: Any, lang: str) -> str:
    from curriculum.model import words

    return words(text, lang)


@cli.command("open")
@click.argument("study", required=False)
@_option_lang
def open_(study: str | None, lang: str) -> int:
    """Open a study notebook in JupyterLab: the one named, or the newest below `output`.

    \b
    Examples:
      curriculum open
      curriculum open output/mlops-engineer-beginner
    """
    import importlib.util

    from curriculum.errors import OutputError, RequestError
    from curriculum.request import find_language, system_language

    lang = find_language(lang) if lang else system_language()
    place = Path(study) if study else Path("output")
    if place.is_file() and place.suffix == ".ipynb":
        notebook = place
    else:
        pattern = "study.*.ipynb" if study else "*/study.*.ipynb"
        found = [path for path in place.glob(pattern) if path.name.count(".") == 2]
        if not found:
            raise RequestError("no-study", path=str(place))
        preferred = [path for path in found if path.name == f"study.{lang}.ipynb"]
        notebook = max(found, key=lambda path: path.stat().st_mtime) if not study else (preferred or sorted(found))[0]
    if importlib.util.find_spec("jupyterlab") is None:
        raise OutputError("no-jupyter", line=f'{_quoted([sys.executable])} -m pip install "curriculum[jupyter]"')
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(notebook)])


@cli.command()
@click.argument("study", metavar="[STUDY]", required=False)
@_option_json
@_option_lang
def doctor(study: str | None, as_json: bool, lang: str) -> None:
    """Tell what this machine has for the exercises, and how to get what it lacks.

    With a study's folder or notebook it looks at that study's exercises and ports, else at all exercises. It changes
    nothing, and its exit code is 0 also when things are missing.

    \b
    Examples:
      curriculum doctor
      curriculum doctor output/mlops-engineer-beginner
      curriculum doctor --json
    """
    from curriculum import doctor as physician
    from curriculum.request import find_language, system_language

    if study:
        session = _session(study, lang)
        lang = find_language(lang) if lang else session.lang
        found = physician.of_session(session)
    else:
        lang = find_language(lang) if lang else system_language()
        catalog = _catalog(os.environ.get("CURRICULUM_CONTENT") or None)
        found = physician.diagnose(catalog, physician.all_exercises(catalog), Path.cwd())
    if as_json:
        _print_json(physician.as_dict(found, lang))
    else:
        click.echo(physician.picture(found, lang, uid="terminal").text)


def _session(study: str, lang: str = "") -> Any:
    """The study in a folder, or of a notebook, as a session without a page."""
    from curriculum.home import home_at
    from curriculum.request import find_language
    from curriculum.session import Session

    asked = find_language(lang) if lang else ""
    session = Session(home_at(Path(study), asked))
    if asked:
        session.lang = asked
    return session


@cli.command()
@click.argument("study", metavar="STUDY")
@click.argument("exercise", required=False, default="")
@click.option("--again", is_flag=True, help="Judge anew what was judged before, with every tool that is there.")
@_option_json
@_option_lang
def check(study: str, exercise: str, again: bool, as_json: bool, lang: str) -> int:
    """Check the answers of a study: one exercise, or all that have an answer.

    STUDY is a study's folder or notebook. The exit code is 0 when everything that was checked is passed or cannot be
    checked here, 1 when something is not, 3 when a check itself broke.

    \b
    Examples:
      curriculum check output/mlops-engineer-beginner
      curriculum check output/mlops-engineer-beginner docker-first-image --json
    """
    session = _session(study, lang)
    names = [session.section(exercise).name] if exercise else session.answered()
    outcomes = []
    for name in names:
        outcome = _checked(session, name, again, quiet=as_json)
        outcomes.append(outcome)
        if not as_json:
            click.echo(_result_text(session, name, outcome) + "\n")
    if as_json:
        _print_json({"exercises": {outcome.exercise: outcome.to_json() for outcome in outcomes}})
    elif not names:
        click.echo(session.say("study.checked-none"))
    kinds = {outcome.outcome for outcome in outcomes}
    return 3 if "broken" in kinds else 1 if kinds & {"failed", "not-attempted"} else 0


def _checked(session: Any, exercise: str, again: bool, *, quiet: bool) -> Any:
    def tell(key: str, params: Any) -> None:
        if not quiet:
            click.echo(session.say(key, **params))

    *_, outcome = session.check(exercise, again=again, tell=tell)
    return outcome


def _result_text(session: Any, exercise: str, outcome: Any) -> str:
    from curriculum.result import picture

    text: str = picture(session.result(exercise, outcome), session.lang, uid="terminal").text
    return text


@cli.command()
@click.argument("study", metavar="STUDY")
@_option_json
@_option_lang
def progress(study: str, as_json: bool, lang: str) -> None:
    """Show how far a study is: exercises, items, what is next.

    \b
    Example:
      curriculum progress output/mlops-engineer-beginner --json
    """
    session = _session(study, lang)
    if as_json:
        _print_json(session.progress())
    else:
        click.echo(session.dashboard(session.log.state(), "terminal").text)


@cli.command()
@click.argument("study", metavar="STUDY")
@_option_json
@_option_lang
def recheck(study: str, as_json: bool, lang: str) -> int:
    """Check again, with the tools of this machine, what was passed without them.

    On another machine this turns ticks that stand on files into real ones. A pass is never taken away.
    """
    session = _session(study, lang)
    state = session.log.state()
    names = [
        name for name in session.answered() if (check := state.passed(name)) and (check.how != "real" or check.waiting)
    ]
    rows = []
    for name in names:
        before = state.passed(name)
        outcome = _checked(session, name, True, quiet=as_json)
        after = session.log.state().passed(name)
        rows.append({"exercise": name, "before": before.how, "outcome": outcome.outcome, "after": after.how})
        if not as_json:
            words = [session.say(f"how.{how}") for how in (before.how, after.how)]
            click.echo(session.say("cli.rechecked", exercise=name, before=words[0], after=words[1]))
            if outcome.outcome != "passed":
                click.echo(_result_text(session, name, outcome) + "\n")
    if as_json:
        _print_json({"exercises": rows})
    elif not names:
        click.echo(session.say("cli.nothing-to-recheck"))
    return 3 if any(row["outcome"] == "broken" for row in rows) else 0


@cli.command()
@click.argument("study", metavar="STUDY")
@click.argument("exercise")
@_option_lang
def reset(study: str, exercise: str, lang: str) -> None:
    """Put an exercise's starter back; the answer so far is kept in `.history/`.

    What was passed stays passed.
    """
    from curriculum.updating import reset_cells

    session = _session(study, lang)
    name = session.section(exercise).name
    kept = session.reset(name)
    notebooks = reset_cells(session, name)
    click.echo(session.say("cli.reset", exercise=name, folder=session.folder / "work" / name))
    for path in (*kept, *notebooks):
        click.echo(f"  {path}")


@cli.command()
@click.argument("study", metavar="STUDY")
@click.option("--level", metavar="LEVEL", default="", help="Another level; what was done counts there too.")
@click.option("--lang", metavar="LANG", default="", help="Make, or bring up to date, the notebook in this language.")
@click.option("--known", metavar="TOOLS", multiple=True, help="Tools you know by now.")
@click.option("--hours-per-week", metavar="HOURS", default=None, help="Another pace, from today on.")
@click.option("--start-again-from", metavar="DATE", default="", help="Plan what is left from this day on; or `today`.")
@click.option("--deadline", metavar="DATE", default="", help="Another last day.")
@click.option("--pause", metavar="FROM..TO", multiple=True, help="Days without study. Repeatable.")
@click.option("--prefer", metavar="TOOLS", multiple=True, help="These tools too; of several for one job, these.")
@_option_depth
@click.option("--industry", metavar="INDUSTRY", default="", help="Another industry for the exercises' story.")
@click.option("--learner", metavar="NAME", default="", help="Another spelling of the name, where the study has an id.")
@_option_content
@_option_json
def update(study: str, start_again_from: str, content: str | None, as_json: bool, **changes: Any) -> None:
    """Bring a study up to date, or plan it anew, without touching work.

    Cells that nobody edited are replaced, edited ones stay, new ones are inserted; ticks, answers and outcomes stay.
    The notebooks as they were go to `.history/`.

    \b
    Examples:
      curriculum update output/mlops-engineer-beginner
      curriculum update output/mlops-engineer-beginner --hours-per-week 5
      curriculum update output/mlops-engineer-beginner --start-again-from today
    """
    import datetime as dt

    from curriculum.request import number, parse_date
    from curriculum.roadmap import long_date
    from curriculum.updating import update as bring

    given = {name: value for name, value in changes.items() if value}
    again = dt.date.today() if start_again_from == "today" else parse_date(start_again_from, "start-again-from")
    done = bring(Path(study), start_again_from=again, content=content, **given)
    plan, lang = done.plan, done.plan.request.lang
    if as_json:
        _print_json(
            {
                "files": {str(path): vars(merge) if merge else None for path, merge in done.files.items()},
                "backups": [str(path) for path in (*done.backups, *done.retired)],
                "hours": plan.hours,
                "hours_left": round(plan.left / 60, 1),
                "hours_per_week": number(plan.request.hours_per_week),
                "end": plan.end.isoformat(),
            }
        )
        return
    for path, merge in done.files.items():
        if merge is None:
            click.echo(_say(lang, "cli.made", path=path))
            continue
        counts = {name: len(value) for name, value in vars(merge).items() if isinstance(value, list)}
        click.echo(_say(lang, "cli.updated", path=path, own=merge.own, **counts))
        for name in merge.orphaned:
            click.echo(_say(lang, "cli.orphaned", cell=name))
    for path in done.retired:
        click.echo(_say(lang, "cli.retired", path=path))
    for path in done.backups:
        click.echo(_say(lang, "cli.backup", path=path))
    left = number(round(plan.left / 60, 1))
    click.echo(
        _say(lang, "cli.replanned", left=left, pace=number(plan.request.hours_per_week), end=long_date(plan.end, lang))
    )


@cli.command()
@click.argument("study", metavar="STUDY")
@click.option(
    "--output", metavar="FILE", default="", help="Where the page goes. Default: report.<lang>.html beside the study."
)
@_option_lang
def report(study: str, output: str, lang: str) -> None:
    """Write a page or two to show someone: skills with their evidence, exercises, what is not real yet.

    \b
    Example:
      curriculum report output/mlops-engineer-beginner
    """
    import datetime as dt

    from curriculum.answers import write_file
    from curriculum.report import report as page

    session = _session(study, lang)
    path = Path(output) if output else session.folder / f"report.{session.lang}.html"
    write_file(path, page(session, dt.date.today()).encode())
    click.echo(session.say("cli.report", path=path))


@cli.command()
@click.argument("roster", metavar="ROSTER")
@click.option("--output", metavar="DIR", default="output", show_default=True, help="A folder, or an address: s3://…")
@_cohort_options
@click.option("--variant", metavar="VARIANT", default="", help="instructor: one copy with solutions per distinct plan.")
@click.option("--update", is_flag=True, help="Bring studies up to date in which learners have worked, too.")
@click.option("--jobs", metavar="N", type=click.IntRange(1), help="Processes on this machine. Default: one per core.")
@click.option("--dask", metavar="ADDRESS", default="", help="Work on this Dask cluster, e.g. tcp://10.0.0.5:8786.")
@click.option("--lms", type=click.Choice(["moodle", "folder"]), help="Pack the notebooks into one zip, too.")
@click.option("--worksheet", metavar="CSV", default="", help="Moodle's grading worksheet, for --lms moodle.")
@click.option("--dry-run", is_flag=True, help="Read the roster and plan; write nothing.")
@_option_json
def cohort(
    roster: str,
    output: str,
    jobs: int | None,
    dask: str,
    lms: str | None,
    worksheet: str,
    dry_run: bool,
    as_json: bool,
    content: str | None,
    update: bool,
    **options: Any,
) -> int:
    """Make every learner's study notebook from one roster.

    ROSTER is a table with one row per learner: CSV, TSV, XLSX, JSON Lines or YAML; `-` reads it from a pipe. What it
    does not say comes from the options. A second run makes what is missing or changed and leaves learners' work alone.

    \b
    Examples:
      curriculum roster new roster.xlsx --lang ja
      curriculum cohort roster.xlsx --output output/spring --role mlops-engineer
      curriculum cohort roster.csv --level beginner --start 2027-04-05 --dry-run
      curriculum cohort roster.csv --variant instructor
    """
    from curriculum.cohort import Cohort
    from curriculum.roster import open_roster

    if (lms == "moodle") != bool(worksheet):
        raise click.UsageError("--lms moodle and --worksheet go together.")
    options = {name: value for name, value in options.items() if value}
    with _counting(roster, quiet=as_json) as watch:
        run = Cohort(output, content=content, options=options, update=update, watch=watch)
        table = open_roster(roster)
        outcome = run.rehearse(table) if dry_run else run.run(table, jobs=jobs or os.cpu_count() or 1, dask=dask)
    packed = run.pack(lms, worksheet) if lms and not dry_run and not outcome.interrupted else None
    if as_json:
        _print_json(outcome.as_dict() | ({"packed": packed.as_dict()} if packed else {}))
    else:
        _show_cohort(outcome, table.warnings, run.lang, dry_run=dry_run)
        for sentence in packed.sentences(run.lang) if packed else ():
            click.echo(sentence)
    return 130 if outcome.interrupted else 1 if outcome.counts.failed else 0


@contextlib.contextmanager
def _counting(roster: str, *, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """A bar on a terminal: how many learners are done, how fast, and how long the rest takes."""
    if quiet or not _terminal(sys.stderr):
        yield lambda counts: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from curriculum.roster import count_rows

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count_rows(roster), rate="")

        def watch(counts: Any) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=counts.learners, rate=f"{speed:.0f}/s" if speed else "")

        yield watch


def _show_cohort(outcome: Any, warnings: list[Any], lang: str, *, dry_run: bool) -> None:
    from curriculum.request import number

    for sentence in warnings:
        click.echo(sentence.sentence(lang), err=True)
    counts = outcome.counts
    table = _table(*(_say(lang, f"cli.cohort-{name}") for name in ("state", "learners")))
    names = ("made", "unchanged", "updated", "skipped", "failed", "gone")
    for name in names:
        if getattr(counts, name) or name == "made":
            key = "would-make" if dry_run and name == "made" else name
            table.add_row(_say(lang, f"cli.cohort-{key}"), f"{getattr(counts, name):,}")
    _console().print(table)
    for line in outcome.notable:
        place = _say(lang, "cli.cohort-row", row=line["row"])
        who = f" ({line['id']})" if line["id"] else ""
        column = f", {line['error']['column']}" if line["error"]["column"] else ""
        click.echo(f"- {place}{who}{column}: {line['error'][lang]}")
    if (more := counts.failed + counts.skipped - len(outcome.notable)) > 0:
        click.echo(_say(lang, "cli.cohort-more", count=more))
    if outcome.unmet:
        click.echo(_say(lang, "cli.cohort-unmet", unmet=outcome.unmet, learners=outcome.deadlines))
        for sentence in outcome.advice.deadline():
            click.echo(f"  {sentence}")
    if outcome.interrupted:
        click.echo(_say(lang, "cli.cohort-interrupted"))
    seconds = number(round(outcome.seconds, 1))
    if dry_run:
        click.echo(_say(lang, "cli.cohort-rehearsed", seconds=seconds))
    else:
        click.echo(_say(lang, "cli.cohort-made-in", plans=outcome.plans, seconds=seconds, place=outcome.page))


@cli.group()
def roster() -> None:
    """Write a sample roster, or check one."""


@roster.command("new")
@click.argument("path", metavar="FILE")
@_option_lang
@_option_content
def roster_new(path: str, lang: str, content: str | None) -> None:
    """Write a sample roster to fill in: .csv, or .xlsx with lists to choose from.

    \b
    Example:
      curriculum roster new roster.xlsx --lang ja
    """
    import datetime as dt

    from curriculum.request import find_language, system_language
    from curriculum.roster_sample import write_sample

    lang = find_language(lang) if lang else system_language()
    write_sample(Path(path), _catalog(content), lang, dt.date.today())
    command = _quoted([*_this_command(), "cohort", path])
    click.echo(_say(lang, "roster.sample-written", path=path, command=command))


@roster.command("check")
@click.argument("path", metavar="ROSTER")
@_cohort_options
@_option_json
def roster_check(path: str, content: str | None, as_json: bool, **options: Any) -> int:
    """List every fault of a roster at once, by row and column; make nothing.

    \b
    Example:
      curriculum roster check roster.csv --level beginner
    """
    from curriculum.request import find_language, system_language
    from curriculum.roster import check_roster, open_roster

    lang = find_language(options["lang"]) if options["lang"] else system_language()
    table = open_roster(path)
    given = {name: value for name, value in options.items() if value}
    report = check_roster(table, _catalog(content), given)
    if as_json:
        _print_json(report.as_dict(lang))
    else:
        for notice in table.warnings:
            click.echo(notice.sentence(lang), err=True)
        for fault in report.faults:
            column = f", {_say(lang, f'cohort-page.{fault.column}')}" if fault.column else ""
            click.echo(f"- {_say(lang, 'cli.cohort-row', row=fault.row)}{column}: {fault.error.sentence(lang)}")
        click.echo(_say(lang, "roster.checked", count=report.learners, faults=len(report.faults)))
    return 1 if report.faults else 0


@cli.command("list")
@click.argument("what", type=click.Choice(["roles", "tools", "exercises"]))
@_option_lang
@_option_content
@_option_json
def list_(what: str, lang: str, content: str | None, as_json: bool) -> None:
    """List roles, tools or exercises.

    \b
    Examples:
      curriculum list roles
      curriculum list tools --json
      curriculum list exercises --lang ja
    """
    from curriculum import listing
    from curriculum.request import find_language, system_language

    lang = find_language(lang) if lang else system_language()
    rows = {"roles": listing.roles, "tools": listing.tools, "exercises": listing.exercises}[what](
        _catalog(content), lang
    )
    if as_json:
        _print_json(rows)
        return
    if not rows:
        click.echo(_say(lang, "cli.nothing-there"))
        return
    columns = listing.COLUMNS[what]
    table = _table(*(_say(lang, f"cli.column-{name}") for name in columns))
    from rich.text import Text

    for row in rows:
        if row.get("level"):
            row["level"] = _say(lang, f"level.{row['level']}")
        table.add_row(*(Text(listing.cell(row[name])) for name in columns))
    _console().print(table)


@cli.command()
@click.argument("what", type=click.Choice(["role", "tool", "exercise"]))
@click.argument("name")
@_option_lang
@_option_content
def show(what: str, name: str, lang: str, content: str | None) -> None:
    """Show one role, tool or exercise.

    \b
    Examples:
      curriculum show role mlops-engineer
      curriculum show tool docker --lang ja
      curriculum show exercise docker-first-image
    """
    from curriculum import listing
    from curriculum.request import find_language, system_language

    lang = find_language(lang) if lang else system_language()
    text = {"role": listing.role_page, "tool": listing.tool_page, "exercise": listing.exercise_page}[what](
        _catalog(content), name, lang
    )
    if _terminal(sys.stdout):
        from rich.markdown import Markdown

        _console().print(Markdown(text))
    else:
        click.echo(text)


@cli.command()
@_option_lang
@_option_content
@_option_json
def lint(lang: str, content: str | None, as_json: bool) -> int:
    """Find everything that is wrong with the content, all of it at once.

    With --content, that pack is looked at; else ours.

    \b
    Examples:
      curriculum lint
      curriculum lint --content my-school --json
    """
    from curriculum import lint as linter
    from curriculum.request import find_language, system_language

    lang = find_language(lang) if lang else system_language()
    from curriculum.catalog import Catalog

    catalog = Catalog(content)
    faults = linter.lint(catalog, [catalog.packs[-1].name] if content else None)
    if as_json:
        _print_json(
            [
                {"file": f.file, "cell": f.cell, "line": f.line, "key": f.key, "message": f.sentence(lang)}
                for f in faults
            ]
        )
    else:
        for fault in faults:
            click.echo(_say(lang, "cli.fault", place=fault.place(lang), sentence=fault.sentence(lang)))
        click.echo(_say(lang, "cli.faults" if faults else "cli.no-faults", count=len(faults)), err=bool(faults))
    return 1 if faults else 0


def _template_paths(files: tuple[str, ...], content: str | None) -> list[Path]:
    """The notebooks named, or all of the topmost pack; a bare name means the pack's template of that name."""
    from curriculum.errors import RequestError, near

    pack = _catalog(content).packs[-1]
    own = pack.files("templates/notebooks", ".ipynb")
    if not files:
        return list(own.values())
    paths = []
    for file in files:
        path = Path(file) if Path(file).is_file() else own.get(file.removesuffix(".ipynb"))
        if path is None:
            raise RequestError("no-template", value=file, near=near(file, own))
        paths.append(path)
    return paths


def _rewrite(path: Path, stamps: dict[str, str] | None = None) -> bool:
    """Put a template into canonical form, with `stamps` added to its map; say whether it changed."""
    from curriculum.canonical import canonical, is_template
    from curriculum.errors import ContentError, Fault, OutputError
    from curriculum.generation import write_text
    from curriculum.source import load_notebook

    book, faults = load_notebook(path, path.name)
    if book is None or not is_template(book):
        raise ContentError(faults or (Fault(path.name, "not-template"),))
    before = path.read_text(encoding="utf-8")
    raw = json.loads(before.removeprefix("\ufeff"))
    if stamps is not None:
        ours = raw["metadata"].setdefault("curriculum", {})
        ours["translations"] = stamps
    text = canonical(raw, book)
    if text == before:
        return False
    try:
        write_text(path, text)
    except OSError as error:
        raise OutputError("cannot-write", path=str(path), problem=error.strerror or "") from error
    return True


@cli.command()
@click.argument("exercises", nargs=-1)
@click.option("--proofs", "place", metavar="DIR", default="", help="Where the right and wrong answers are kept.")
@click.option("--quick", is_flag=True, help="Only what files tell: start no program and ask no server.")
@_option_lang
@_option_content
def prove(exercises: tuple[str, ...], place: str, quick: bool, lang: str, content: str | None) -> int:
    """Prove exercises: starter, solution, and the right and wrong answers that are kept for them.

    Each is judged as two learners would have it judged: with the default values, and with another's in another industry.
    """
    import time

    from curriculum.catalog import own_pack
    from curriculum.proving import LEAST_RIGHT, LEAST_WRONG, proofs, run_proof, verdict
    from curriculum.request import find_language, system_language

    lang = find_language(lang) if lang else system_language()
    catalog = _catalog(content)
    folder = Path(place) if place else own_pack().root / "tests" / "proofs"
    names = exercises or tuple(name for name, _ in catalog.exercises())
    good = total = 0
    missing: set[str] = set()
    begun = time.monotonic()
    for name in names:
        catalog.exercise(name)
        kept = list(proofs(name, folder if folder.is_dir() else None))
        for n, proof in enumerate(kept):
            # Every other answer is the second learner's, and the solution both's.
            learners = [("", ""), ("proof", "finance")]
            for study, industry in learners if proof.kind == "solution" else learners[n % 2 : n % 2 + 1]:
                start = time.monotonic()
                outcome = run_proof(proof, catalog, study=study, industry=industry, live=not quick)
                wrong = verdict(proof, outcome)
                missing |= set(outcome.missing)
                if quick and proof.kind == "wrong" and not outcome.failed and outcome.waiting:
                    wrong = ""
                total, good = total + 1, good + (not wrong)
                word = _say(lang, "prove.wrong" if wrong else "prove.ok")
                seconds = time.monotonic() - start
                click.echo(f"{word:6} {seconds:5.1f} s  {proof.name}{'  ' + wrong if wrong else ''}")
        right, bad = (sum(proof.kind == kind for proof in kept) for kind in ("right", "wrong"))
        if right < LEAST_RIGHT or bad < LEAST_WRONG:
            total += 1
            click.echo(
                _say(
                    lang,
                    "prove.few",
                    exercise=name,
                    right=right,
                    wrong=bad,
                    least_right=LEAST_RIGHT,
                    least_wrong=LEAST_WRONG,
                )
            )
    if missing and not quick:
        click.echo(_say(lang, "prove.missing", names=sorted(missing)))
    click.echo(_say(lang, "prove.sum", good=good, total=total, seconds=round(time.monotonic() - begun)))
    return 0 if good == total else 1


@cli.command()
@click.argument("files", nargs=-1)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when something would change.")
@_option_lang
@_option_content
def fmt(files: tuple[str, ...], check: bool, lang: str, content: str | None) -> int:
    """Put template notebooks into canonical form: no outputs, no counters, no local kernel.

    \b
    Examples:
      curriculum fmt
      curriculum fmt docker --check
    """
    from curriculum.canonical import canonical, is_template
    from curriculum.errors import ContentError, Fault
    from curriculum.request import find_language, system_language
    from curriculum.source import load_notebook

    lang = find_language(lang) if lang else system_language()
    changed = 0
    for path in _template_paths(files, content):
        if check:
            book, faults = load_notebook(path, path.name)
            if book is None or not is_template(book):
                raise ContentError(faults or (Fault(path.name, "not-template"),))
            text = path.read_text(encoding="utf-8")
            differs = canonical(json.loads(text.removeprefix("\ufeff")), book) != text
        else:
            differs = _rewrite(path)
        if differs:
            changed += 1
            click.echo(_say(lang, "cli.would-format" if check else "cli.formatted", path=path.name))
    return 1 if check and changed else 0


@cli.command()
@click.argument("file")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@_option_lang
@_option_content
def translated(file: str, ids: tuple[str, ...], lang: str, content: str | None) -> None:
    """Record that translations are up to date with their English: all of a template, or the strings named.

    \b
    Examples:
      curriculum translated docker
      curriculum translated docker docker-layers/title docker-layers/prose
    """
    from curriculum.errors import RequestError, near
    from curriculum.lint import stamps
    from curriculum.request import find_language, system_language

    lang = find_language(lang) if lang else system_language()
    path = _template_paths((file,), content)[0]
    now = dict(stamps(path))
    for string in ids:
        if string not in now:
            raise RequestError("no-such-string", value=string, near=near(string, now))
    before = json.loads(path.read_text(encoding="utf-8-sig"))["metadata"].get("curriculum", {}).get("translations", {})
    wanted = set(ids) if ids else set(now)
    merged = {name: now[name] if name in wanted else before[name] for name in now if name in wanted or name in before}
    _rewrite(path, merged)
    click.echo(_say(lang, "cli.translated", count=len(wanted), path=path.name))


@cli.command()
@click.argument("what", type=click.Choice(["role", "tool"]))
@click.argument("name")
@_option_lang
@_option_content
def new(what: str, name: str, lang: str, content: str | None) -> None:
    """Start a new role or tool: a file that passes lint and says where to go on.

    \b
    Examples:
      curriculum new tool terraform
      curriculum new role data-engineer --content my-school
    """
    import datetime as dt

    from curriculum.catalog import own_pack
    from curriculum.errors import RequestError
    from curriculum.request import find_language, system_language
    from curriculum.scaffold import check_slug, new_role, new_tool

    lang = find_language(lang) if lang else system_language()
    root = Path(content) if content else own_pack().root
    if not content and root.name == "content":
        raise RequestError("installed-content")
    slug = check_slug(name)
    path = new_tool(root, slug, name.strip(), dt.date.today()) if what == "tool" else new_role(root, slug, name.strip())
    click.echo(_say(lang, "cli.wrote", path=path))
    pack = f" --content {_quoted([content])}" if content else ""
    click.echo(_say(lang, f"cli.next-{what}", path=path.stem, pack=pack))


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    Example, for bash:
      curriculum completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "curriculum", "_CURRICULUM_COMPLETE").source())
