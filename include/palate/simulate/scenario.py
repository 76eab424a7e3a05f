"""The simulator's difficulties, and how often they occur."""

from dataclasses import dataclass, field, fields, replace
from typing import Self


def _share(of: str) -> float:
    """Return a field that is a share; ``of`` says of what."""
    share: float = field(default=0.0, metadata={"of": of})
    return share


@dataclass(frozen=True)
class Scenario:
    """Shares from 0 to 1; everything is off unless it is given.

    The shares of dishes, users and entries are shares over a whole history. In a live
    trickle each of them is the chance, per order, that such a change happens.
    """

    versions: float = _share("orders that send a message at each status")
    cancelled: float = _share("CLOSED orders that are CANCELLED later")
    corrected: float = _share("orders that later get other dishes and costs")
    changed_guest: float = _share("orders that later belong to another guest")
    ties: float = _share("versions with another version of the same time")
    duplicates: float = _share("messages that come again, byte for byte")
    out_of_order: float = _share("versions that come late, maybe after newer ones")
    empty: float = _share("orders without dishes")
    enriched: float = _share("messages in the enriched form, on the second topic")
    junk: float = _share("messages that are followed by one that must be refused")
    late: float = _share("dictionary entries that turn up after their first order")
    renamed: float = _share("dishes that get another name")
    moved: float = _share("dishes that move to another category, or to none")
    repriced: float = _share("dishes that get another price")
    left: float = _share("dishes that leave their menu")
    renamed_users: float = _share("users that get another name and login")

    def __post_init__(self) -> None:
        for item in fields(self):
            share = getattr(self, item.name)
            if not 0 <= share <= 1:
                raise ValueError(
                    f"{item.name} is {share}: a share lies between 0 and 1"
                )

    @classmethod
    def demo(cls) -> Self:
        """Return the scenario of the demo: everything is on, at small shares."""
        return cls(
            versions=0.1,
            cancelled=0.03,
            corrected=0.03,
            changed_guest=0.005,
            ties=0.01,
            duplicates=0.02,
            out_of_order=0.02,
            empty=0.002,
            enriched=0.05,
            junk=0.005,
            late=0.05,
            renamed=0.03,
            moved=0.04,
            repriced=0.04,
            left=0.02,
            renamed_users=0.03,
        )

    def changed(self, **shares: float | None) -> Self:
        """Return the scenario with the shares that aren't None replaced.

        :raises ValueError: if a share is not between 0 and 1
        """
        given = {name: share for name, share in shares.items() if share is not None}
        return replace(self, **given)
