"""Find and read the content: roles, templates, given files.

Content lies in packs. Ours comes with the package; a school's own pack is announced by the entry point group
`curriculum.content` (a folder, as str or Path) or named by `--content DIR`, and stands over ours: a role, template or
given file of the same name replaces it. A pack is a folder with `roles/` and `templates/`, and, for its name and
version, a `content.yaml`. The current folder is never searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import curriculum
from curriculum.cache import cached
from curriculum.errors import ContentError, Fault, RequestError, near
from curriculum.model import Role, Story
from curriculum.source import load_text, parse_yaml, validated
from curriculum.template import Section, Template, Tool, format_faults, load_template

#: The frame of every study notebook; it lies among the templates but is no tool.
FRAME = "study"


@dataclass(frozen=True)
class Pack:
    """A folder of content, its name and its version."""

    name: str
    version: str
    root: Path

    def files(self, folder: str, suffix: str) -> dict[str, Path]:
        """Files by stem, sorted by name."""
        place = self.root / folder
        return {path.stem: path for path in sorted(place.glob(f"*{suffix}")) if not path.name.startswith(".")}


def own_pack() -> Pack:
    """The content that comes with the package: beside the code when installed, in the repository when editable."""
    package = Path(__file__).resolve().parent
    installed = package / "content"
    return Pack("curriculum", curriculum.__version__, installed if installed.is_dir() else package.parent)


def _announced_packs() -> Iterator[Pack]:
    from importlib.metadata import entry_points

    for entry in sorted(entry_points(group="curriculum.content"), key=lambda entry: entry.name):
        yield Pack(entry.name, entry.dist.version if entry.dist else "", Path(entry.load()))


def named_pack(root: Path) -> Pack:
    """The pack in a folder that someone named. Raises RequestError when it is no folder with content."""
    if not root.is_dir():
        raise RequestError("no-content-folder", path=str(root))
    if not (root / "roles").is_dir() and not (root / "templates" / "notebooks").is_dir():
        raise RequestError("empty-content-folder", path=str(root))
    about = root / "content.yaml"
    if not about.is_file():
        return Pack(root.resolve().name, "", root)
    text, faults = load_text(about, about.name)
    document = parse_yaml(text, about.name)
    faults += document.faults
    if not faults and (
        not isinstance(document.value, dict)
        or set(document.value) - {"name", "version"}
        or "name" not in document.value
    ):
        faults = (Fault(about.name, "bad-pack"),)
    if faults:
        raise ContentError(faults)
    return Pack(str(document.value["name"]), str(document.value.get("version") or ""), root)


class Catalog:
    """All content that can be found, read when it is asked for."""

    def __init__(self, content: Path | str | None = None) -> None:
        packs = [own_pack(), *_announced_packs()]
        if content:
            packs.append(named_pack(Path(content)))
        self.packs: tuple[Pack, ...] = tuple(packs)
        self.named = bool(content)
        self._roles: dict[str, Role] = {}
        self._templates: dict[str, Template] = {}

    @property
    def made_with(self) -> str:
        """Our version, and the packs that stand over ours: what a study notebook says of its origin."""
        return ", ".join(f"{pack.name} {pack.version}".strip() for pack in self.packs)

    @cached_property
    def role_files(self) -> dict[str, Path]:
        return {stem: path for pack in self.packs for stem, path in pack.files("roles", ".yaml").items()}

    @cached_property
    def template_files(self) -> dict[str, Path]:
        files = {
            stem: path for pack in self.packs for stem, path in pack.files("templates/notebooks", ".ipynb").items()
        }
        files.pop(FRAME, None)
        return files

    @property
    def frame_file(self) -> Path:
        """The frame, `study.ipynb`, of the topmost pack that has one."""
        return next(
            path
            for pack in reversed(self.packs)
            if (path := pack.root / "templates/notebooks" / f"{FRAME}.ipynb").is_file()
        )

    def given_file(self, name: str) -> Path | None:
        """The file of the service that an exercise hands out, or None."""
        paths = (pack.root / "templates" / "service" / name for pack in reversed(self.packs))
        return next((path for path in paths if path.is_file()), None)

    def role(self, slug: str) -> Role:
        """The role. Raises RequestError when there is none, ContentError when its file is at fault."""
        if slug not in self._roles:
            if slug not in self.role_files:
                raise RequestError(
                    "unknown-role", value=slug, choices=list(self.role_files), near=near(slug, self.role_files)
                )
            self._roles[slug] = cached("role", self.role_files[slug], lambda: self._read_role(slug))
        return self._roles[slug]

    def template(self, slug: str) -> Template | None:
        """A tool's template, or None. Raises ContentError when its file is at fault."""
        if slug not in self._templates:
            path = self.template_files.get(slug)
            if path is None:
                return None
            self._templates[slug] = cached("template", path, lambda: self._read_template(path))
        return self._templates[slug]

    def _read_role(self, slug: str) -> Role:
        role, faults = load_role(self.role_files[slug], f"roles/{slug}.yaml")
        if role is None:
            raise ContentError(faults)
        return role

    def _read_template(self, path: Path) -> Template:
        template, faults = load_template(path, f"templates/notebooks/{path.name}")
        if template is None:
            raise ContentError(faults)
        for section in template.sections:
            # What is kept is validated whole; what is at fault is told when it is needed.
            _ = section.checked
        return template

    def tools(self, role: Role) -> dict[str, Tool]:
        """The role's tools in its order, each as its template tells it; without one, as the role declares it."""
        declared = {entry.tool: entry for entry in role.tools}
        tools = {}
        for slug in role.names:
            template = self.template(slug)
            source = template.front if template else declared.get(slug)
            if source is not None:
                tools[slug] = Tool(
                    slug, source.title, source.category, source.needs, source.hours, source.docs, template
                )
        return tools

    def exercises(self) -> Iterator[tuple[str, Template]]:
        """Every exercise's slug with its template."""
        for slug in self.template_files:
            template = self.template(slug)
            assert template is not None
            yield from ((section.name, template) for section in template.sections if section.kind == "exercise")

    def judges_file(self, tool: str) -> Path | None:
        """The module with a pack's own judges of a tool, or None where ours judge."""
        paths = (pack.root / "judges" / f"{tool.replace('-', '_')}.py" for pack in reversed(self.packs))
        return next((path for path in paths if path.is_file()), None)

    def exercise(self, slug: str) -> Section:
        """An exercise's section. Raises RequestError for an exercise that does not exist."""
        for tool in self.template_files:
            if slug.startswith(f"{tool}-") and (template := self.template(tool)):
                for section in template.sections:
                    if section.kind == "exercise" and section.name == slug:
                        return section
        known = [name for name, _ in self.exercises()]
        raise RequestError("unknown-exercise", value=slug[:60], near=near(slug, known) if slug else "")

    @cached_property
    def stories(self) -> dict[str, Story]:
        """The story's words by industry, from the topmost pack that tells it. Raises ContentError."""
        for pack in reversed(self.packs):
            path = pack.root / "templates" / "stories.yaml"
            if path.is_file():
                return cached("stories", path, partial(_read_stories, path))
        return {}

    def story(self, industry: str = "") -> Story:
        """The words of the story in an industry; those of the first one where `industry` is empty.

        Raises RequestError for an industry without a story.
        """
        stories = self.stories
        if industry and industry not in stories:
            raise RequestError("unknown-industry", value=industry, choices=list(stories), near=near(industry, stories))
        return stories[industry] if industry else next(iter(stories.values()), {})


def _read_stories(path: Path) -> dict[str, Story]:
    text, faults = load_text(path, f"templates/{path.name}")
    if not faults:
        stories, faults = validated(parse_yaml(text, f"templates/{path.name}"), dict[str, Story], path.name, None)
    if faults:
        raise ContentError(faults)
    return dict(stories)


@lru_cache(maxsize=8)
def catalog_at(content: str | None) -> Catalog:
    """The catalogue with the pack in the folder `content` on top; read once in a process."""
    return Catalog(content)


def load_role(path: Path, file: str) -> tuple[Role | None, tuple[Fault, ...]]:
    """Read a role: the role or None, and its faults."""
    text, faults = load_text(path, file)
    if faults:
        return None, faults
    document = parse_yaml(text, file)
    faults = format_faults(document, file, None)
    return (None, faults) if faults else validated(document, Role, file, None)
