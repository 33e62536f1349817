"""What the catalogue is made of: a fault, the command that meets it, the sentence it must bring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from tests.hard_inputs.sound import read_rows, write_rows

Words: TypeAlias = Sequence[object] | None


@dataclass(frozen=True)
class Place:
    """A fresh copy of everything a command can be given.

    Attributes:
        root: Where it lies; a fault may put more there.
    """

    root: Path

    @property
    def sites(self) -> Path:
        return self.root / "sites"

    @property
    def site(self) -> Path:
        return self.sites / "lyon"

    @property
    def bags(self) -> Path:
        return self.site / "patch_features"

    @property
    def bag(self) -> Path:
        return self.bags / "Zq-103-a.h5"

    @property
    def cohort(self) -> Path:
        return self.root / "cohort"

    @property
    def model(self) -> Path:
        return self.root / "model.safetensors"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.csv"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def replace(self, name: str, old: str, new: str) -> None:
        """Put `new` in place of every `old` of a text file of the site."""
        text = (self.site / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        (self.site / name).write_text(text.replace(old, new), encoding="utf-8")

    def content(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Let `change` work on the content of a file of the site."""
        path = self.site / name
        path.write_bytes(change(path.read_bytes()))

    def cell(self, name: str, column: str, value: str, row: int = 2) -> None:
        """Write one cell of a csv table of the site."""
        self.rows(name, lambda rows: rows[row].update({column: value}))

    def rows(self, name: str, change: Callable[[list[dict[str, str]]], object]) -> None:
        """Let `change` work on the rows of a csv table of the site; what it returns counts."""
        rows = read_rows(self.site / name)
        changed = change(rows)
        write_rows(self.site / name, rows if changed is None else list(changed))  # type: ignore[call-overload]


@dataclass(frozen=True)
class Fault:
    """One broken input.

    Attributes:
        name: What is wrong, in words.
        command: `doctor`, `run`, `partition`, `synthesise`, `metrics`, `predict` or `report`.
        spoil: Breaks a place, and may return more words for the command.
        says: What must stand in the message.
        warns: True = the command goes on and says so.
    """

    name: str
    command: str
    spoil: Callable[[Place], Words] = field(repr=False)
    says: str
    warns: bool = False


CATALOGUE: list[Fault] = []


def fault(
    command: str, says: str, *, warns: bool = False
) -> Callable[[Callable[[Place], Words]], Callable[[Place], Words]]:
    """Put a function that breaks a place into the catalogue, under its own name."""

    def add(spoil: Callable[[Place], Words]) -> Callable[[Place], Words]:
        name = spoil.__name__.strip("_").replace("_", "-")
        CATALOGUE.append(Fault(name, command, spoil, says, warns))
        return spoil

    return add
