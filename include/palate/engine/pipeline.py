"""An area's stages: their names, their order, and how they run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from palate.engine.outcome import Caller, Outcome
from palate.settings import Settings


@dataclass(frozen=True)
class Stage:
    """One stage, as a task or a person runs it.

    :param name: the name of its lock, its attempts and its batches in the ledger
    :param run: does what waits for it
    :param upstream: the names in the ledger of the stages whose positions it takes
    :param marks: the names of its own watermarks, if not just one of its own name
    :param reads_staging: whether it loads the vault from STG: a rebuild does so beside
    :param is_optional: whether it may be switched off, or removed: then nothing waits
        for it
    :param is_on: whether settings ask for it; a run leaves it out if not
    """

    name: str
    run: Callable[[Settings, Caller], Outcome]
    upstream: tuple[str, ...] = ()
    marks: tuple[str, ...] | None = None
    reads_staging: bool = False
    is_optional: bool = False
    is_on: Callable[[Settings], bool] = lambda _: True


@dataclass(frozen=True)
class Pipeline:
    """The stages of an area in layers: those of one layer may run side by side."""

    area: str
    layers: tuple[tuple[Stage, ...], ...]

    def __iter__(self) -> Iterator[Stage]:
        """Yield every stage, upstream first."""
        for layer in self.layers:
            yield from layer

    def behind(self, name: str) -> tuple[tuple[Stage, ...], ...]:
        """Return the layers after a stage's own."""
        for number, layer in enumerate(self.layers):
            if name in [stage.name for stage in layer]:
                return self.layers[number + 1 :]
        raise KeyError(name)
