"""What a scenario came to: lost, doubled, wrong."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """What is wrong with a warehouse; all zero is right.

    ``lost``: messages and entries that went in and are not staged. ``doubled``:
    positions staged twice, or taken by two batches of one stage. ``wrong``: rows of
    any table that differ from the model, and errors of the ledger. The same of what
    the app gets: states of a guest's tags that are missing, two of one version, older
    ones that came last.
    """

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost, doubled or wrong."""
        return not (self.lost or self.doubled or self.wrong)
