"""Personal values: the same for one learner everywhere, different from learner to learner."""

from __future__ import annotations

from dataclasses import replace

from curriculum.catalog import Catalog
from curriculum.model import RESERVED_PORTS, Exercise, Value
from curriculum.personal import fill, personal_values
from tests.conftest import SMALL


def exercise(**values: Value) -> Exercise:
    template = Catalog(SMALL).template("hammer")
    assert template
    content: Exercise = template.exercises("beginner")[0].content
    return replace(content, values=values)


def test_the_same_name_and_range_give_the_same_value_in_every_exercise() -> None:
    """So that the port of the image is the port of the manifest."""
    port = Value(default="18080", between=(18000, 18999))
    first = personal_values("1a2b3c4d5e", exercise(port=port))
    second = personal_values("1a2b3c4d5e", exercise(color=Value(default="blue", one_of=("blue", "green")), port=port))
    assert first["port"] == second["port"]
    assert 18000 <= int(first["port"]) <= 18999


def test_another_study_or_range_gives_another_value() -> None:
    """Drawn evenly enough: a hundred studies share few ports."""
    port = Value(default="18080", between=(18000, 18999))
    drawn = {personal_values(f"study-{n}", exercise(port=port))["port"] for n in range(100)}
    assert len(drawn) > 80
    colors = Value(default="blue", one_of=("blue", "green", "amber"))
    assert {personal_values(f"study-{n}", exercise(color=colors))["color"] for n in range(50)} == {
        "blue",
        "green",
        "amber",
    }


def test_a_port_is_never_one_that_the_course_uses_itself() -> None:
    """8888 is Jupyter's: a range around it leaves it out. Other numbers may be anything."""
    port = Value(default="8887", between=(8886, 8901))
    drawn = {int(personal_values(f"study-{n}", exercise(port=port))["port"]) for n in range(200)}
    assert drawn == {8886, 8887, 8900, 8901}
    assert not drawn & RESERVED_PORTS
    pages = {personal_values(f"study-{n}", exercise(pages=port))["pages"] for n in range(300)}
    assert "8888" in pages


def test_a_bare_template_runs_with_the_defaults() -> None:
    """An author's run has no study."""
    assert personal_values("", exercise(port=Value(default="18080", between=(18000, 18999)))) == {"port": "18080"}


def test_filling_leaves_what_it_does_not_know() -> None:
    """`{{ … }}`, `${…}` and unknown marks belong to others."""
    text = "⟦port⟧ {{ port }} ${port} ⟦other⟧ ⟦port⟧"
    assert fill(text, {"port": "18080"}) == "18080 {{ port }} ${port} ⟦other⟧ 18080"
