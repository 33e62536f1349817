"""Bags of patches: they stay on disk and are read when needed."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Float32, Int

from fusion.readers.formats.bag import Coordinates
from fusion.readers.formats.slide import Slide

ROOM_BYTES = 320 * 2**20
"""Memory that the readers of a run may keep patches in, over all sites of the process."""


class Room:
    """Memory that several readers share, so that a hundred sites need no more than one.

    Args:
        size: Bytes; 0 = nothing is kept.

    Source: own.
    """

    def __init__(self, size: int = ROOM_BYTES) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Return whether `size` bytes were left; if so they are taken, for good.

        Source: own.
        """
        if size > self._left:
            return False
        self._left -= size
        return True


class BagReader:
    """Reads patients' patches from where their slides lie, few rows at a time.

    Bags are kept in memory, in the file's own precision, until the room is taken; the
    others are read again each time, only the rows wanted. Nothing is thrown out for a newcomer:
    training passes through the patients in a circle, where a least-recently-used cache drops each
    bag just before it is wanted.

    Args:
        slides: Those of each patient.
        width: Numbers a patch.
        room: Memory to keep bags in, shared with other readers; an own one if None.

    Privacy: patch features; they stay in the process.

    Source: own.
    """

    def __init__(
        self,
        slides: tuple[tuple[Slide, ...], ...],
        width: int,
        room: Room | None = None,
    ) -> None:
        self._slides, self._width, self.room = slides, width, room or Room()
        self._kept: dict[Slide, np.ndarray] = {}
        self._lengths: dict[Slide, int] = {}
        self._ranks: dict[int, np.ndarray] = {}

    def patches(self, patient: int) -> int:
        """Return the number of patches over all of a patient's slides; 0 = no slide.

        Args:
            patient: Position in the cohort.

        Raises:
            SiteError: A bag cannot be read.

        Source: own.
        """
        return sum(self._length(slide) for slide in self._slides[patient])

    def coordinates(self, patient: int) -> tuple[Coordinates | None, ...]:
        """Return where the patches of each of a patient's slides lie.

        Args:
            patient: Position in the cohort.

        Returns:
            One entry a slide, in the order of the patient's patches; None = the file does not say.

        Raises:
            SiteError: A bag cannot be read, or its coordinates do not fit its patches.

        Privacy: they stay in the process.

        Source: own.
        """
        return tuple(self._coordinates(slide) for slide in self._slides[patient])

    def sample(
        self, patient: int, *, max_patches: int, generator: np.random.Generator
    ) -> Float32[np.ndarray, "patch feature"]:
        """Return at most `max_patches` of a patient's patches, drawn without replacement.

        Args:
            patient: Position in the cohort.
            max_patches: Most patches to draw, over all slides together.
            generator: Decides which; unused when the patient has no more than `max_patches`.

        Returns:
            The patches in the order they have on disk.

        Raises:
            SiteError: A bag cannot be read, or holds a value that is not finite.

        Source: own.
        """
        return self.read(patient, self.draw(patient, max_patches, generator))

    def draw(
        self, patient: int, max_patches: int, generator: np.random.Generator
    ) -> Int[np.ndarray, " row"]:
        """Return which of a patient's patches `sample` takes with an equal generator.

        Args:
            patient: Position in the cohort.
            max_patches: Most patches to draw.
            generator: Decides which.

        Returns:
            Sorted places among the patient's patches.

        Source: own.
        """
        total = self.patches(patient)
        if total <= max_patches:
            return np.arange(total)
        return np.sort(generator.choice(total, max_patches, replace=False, shuffle=False))

    def ranks(self, patient: int) -> Int[np.ndarray, " patch"]:
        """Return each patch's place when the slides are read one by one, row by row from the top.

        Args:
            patient: Position in the cohort.

        Returns:
            Numbers from 0 in the order of the patches; -1 for all if a slide has no coordinates.

        Raises:
            SiteError: A bag cannot be read, or its coordinates do not fit its patches.

        Privacy: they stay in the process.

        Source: own.
        """
        if patient not in self._ranks:
            held = self.coordinates(patient)
            known = [place.values for place in held if place is not None]
            self._ranks[patient] = (
                _reading_order(known)
                if len(known) == len(held)
                else np.full(self.patches(patient), -1)
            )
        return self._ranks[patient]

    def chunks(self, patient: int, chunk: int) -> Iterator[Float32[np.ndarray, "patch feature"]]:
        """Yield all of a patient's patches in order, at most `chunk` at a time.

        Args:
            patient: Position in the cohort.
            chunk: Most patches at a time.

        Yields:
            Patches in the order they have on disk; nothing for a patient without slides.

        Raises:
            SiteError: A bag cannot be read, or holds a value that is not finite.

        Source: own.
        """
        total = self.patches(patient)
        for start in range(0, total, chunk):
            yield self.read(patient, np.arange(start, min(start + chunk, total)))

    def read(
        self, patient: int, rows: Int[np.ndarray, " row"]
    ) -> Float32[np.ndarray, "row feature"]:
        """Return some patches of a patient's slides laid end to end.

        Args:
            patient: Position in the cohort.
            rows: Which, sorted.

        Raises:
            SiteError: A bag cannot be read, or holds a value that is not finite.

        Source: own.
        """
        out = np.empty((len(rows), self._width), np.float32)
        start = filled = 0
        for slide in self._slides[patient]:
            stop = start + self._length(slide)
            end = int(np.searchsorted(rows, stop))
            if end > filled:
                out[filled:end] = self._rows(slide, rows[filled:end] - start)
            start, filled = stop, end
        return out

    def _rows(self, slide: Slide, rows: np.ndarray) -> np.ndarray:
        if slide in self._kept:
            return self._kept[slide][rows]
        with slide.open(self._width) as bag:
            if not self.room.take(bag.size):
                return bag.rows(rows)
            self._kept[slide] = bag.all()
        return self._kept[slide][rows]

    def _length(self, slide: Slide) -> int:
        if slide not in self._lengths:
            with slide.open(self._width) as bag:
                self._lengths[slide] = len(bag)
        return self._lengths[slide]

    def _coordinates(self, slide: Slide) -> Coordinates | None:
        with slide.open(self._width) as bag:
            return bag.coordinates()


def _reading_order(slides: Sequence[Float[np.ndarray, "_ 2"]]) -> Int[np.ndarray, " patch"]:
    """Return places by slide, then y, then x; equal coordinates keep the order on disk."""
    start, ranks = 0, []
    for places in slides:
        order = np.lexsort((places[:, 0], places[:, 1]))
        found = np.empty(len(places), np.int64)
        found[order] = np.arange(start, start + len(places))
        ranks.append(found)
        start += len(places)
    return np.concatenate([np.empty(0, np.int64), *ranks])
