"""Reads the scenarios: what each one says about itself in the comment at its top.

    # The first comment line is the purpose, printed by `vm list`.
    # shape: memory=2048 disk=4G          (launcher/shape.py; optional)
    # deadline: 180                       (seconds for the whole scenario)
    # needs: target                       (a target is served; without it fulmard need not be built)
    # unproven: why                       (has not passed yet: a run of all counts it as skipped, and says so;
    #                                      by its name it runs)
    # measures: why                       (a measurement, for a quiet machine: it runs by its name only)
    # alone: why                          (its limits are a few milliseconds: nothing else may run on the machine)
    # soak: CYCLES=100 deadline=3600       (what `vm soak` changes; variants keep their own counts, and stay out)
    # variant: other-name REACTORS=3 aw-bits=39     (the same script again: capitals go to its environment,
    #                                                the rest changes the shape)
"""

import dataclasses
import pathlib
from dataclasses import dataclass, field

from .errors import LauncherError
from .settings import VM
from .shape import Shape


@dataclass(frozen=True)
class Scenario:
    name: str
    script: pathlib.Path
    purpose: str = ""
    shape: Shape = Shape()
    deadline: int = 120
    needs_target: bool = False
    unproven: str = ""
    measures: str = ""
    alone: str = ""
    soak: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def load_all(folder: pathlib.Path = VM / "scenarios") -> dict[str, Scenario]:
    found: dict[str, Scenario] = {}
    for script in sorted(folder.glob("*.sh")):
        for scenario in parse(script, script.read_text()):
            if scenario.name in found:
                raise LauncherError(f"two scenarios are called {scenario.name}")
            found[scenario.name] = scenario
    return found


def parse(script: pathlib.Path, text: str) -> list[Scenario]:
    main = Scenario(name=script.stem, script=script)
    variants: list[list[str]] = []
    for line in _header(text):
        key, colon, value = line.partition(":")
        words = value.split()
        if not colon or " " in key:
            if not main.purpose:
                main = dataclasses.replace(main, purpose=line)
        elif key == "shape":
            main = dataclasses.replace(main, shape=main.shape.changed(words))
        elif key == "deadline":
            main = dataclasses.replace(main, deadline=int(value))
        elif key == "needs" and words == ["target"]:
            main = dataclasses.replace(main, needs_target=True)
        elif key == "unproven" and words:
            main = dataclasses.replace(main, unproven=value.strip())
        elif key == "measures" and words:
            main = dataclasses.replace(main, measures=value.strip())
        elif key == "alone" and words:
            main = dataclasses.replace(main, alone=value.strip())
        elif key == "soak" and words:
            main = dataclasses.replace(main, soak=dict(word.split("=", 1) for word in words))
        elif key == "variant" and words:
            variants.append(words)
        else:
            raise LauncherError(f"{script.name}: cannot read the header line: {line}")
    return [main, *(_variant(main, words) for words in variants)]


def for_soak(scenario: Scenario) -> Scenario:
    """The same one for longer."""
    changed = {key: value for key, value in scenario.soak.items() if key[0].isupper()}
    return dataclasses.replace(
        scenario,
        environment=scenario.environment | changed,
        deadline=int(scenario.soak.get("deadline", scenario.deadline)),
    )


def _header(text: str) -> list[str]:
    lines = []
    for line in text.splitlines()[1:]:  # the first one is #!
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return [line for line in lines if line]


def _variant(main: Scenario, words: list[str]) -> Scenario:
    name, *settings = words
    for_script = dict(word.split("=", 1) for word in settings if word[0].isupper())
    for_shape = [word for word in settings if not word[0].isupper()]
    return dataclasses.replace(
        main, name=name, shape=main.shape.changed(for_shape), environment=for_script, soak={}
    )
