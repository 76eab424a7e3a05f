"""The results of a run: one table for people, one JSON file for programs."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.floor import Floor
from bench.growth import Size
from bench.latency import Latency
from bench.pipeline import FIRST_BATCH, BatchTimes
from bench.samples import Samples
from palate import marts, vault

_FOLDER = Path(__file__).parent / "results"
_MICRO = 1e6

# What has to be reached, and what is hoped for: (gate, goal), at most.
_PIPELINE = (8, 4)
_GROWTH = (2, 1.5)
_P50 = (3, 2)
_P99 = (10, 5)


@dataclass
class Figure:
    """One line of the table."""

    section: str
    case: str
    value: float
    unit: str
    samples: Samples | None = None
    gate: float | None = None
    goal: float | None = None

    def verdict(self) -> str:
        """Say whether the figure is within its gate and its goal."""
        if self.gate is None or self.goal is None:
            return ""
        if self.value <= self.goal:
            return f"goal reached (≤ {self.goal:g})"
        if self.value <= self.gate:
            return f"gate reached (≤ {self.gate:g}), goal missed (≤ {self.goal:g})"
        return f"gate missed (≤ {self.gate:g})"


@dataclass
class Report:
    """All figures of a run, and what they were measured on."""

    about: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)

    def add_pipeline(self, floor: Floor, batches: list[BatchTimes]) -> None:
        """Add the floor, each size of batch as a multiple of it, and its stages."""
        for name, one in (("consume", floor.consume), ("COPY", floor.copy)):
            self._add_samples("floor", name, one, "us/message", _MICRO)
        self._add_samples("floor", "both", floor.total, "us/message", _MICRO)
        for batch in batches:
            case = f"batch {batch.messages:,}"
            gate, goal = _PIPELINE if batch.messages == FIRST_BATCH else (None, None)
            ratio = batch.total.median / floor.total.median
            self.figures.append(
                Figure("pipeline", case, ratio, "x floor", None, gate, goal)
            )
            self._add_samples("pipeline", case, batch.total, "us/order", _MICRO)
            self._add_samples(
                "pipeline", f"{case}: the run", batch.total, "ms", batch.messages * 1e3
            )
            for stage, samples in batch.stages.items():
                self._add_samples(
                    "pipeline", f"{case}: {stage}", samples, "us/order", _MICRO
                )

    def add_growth(self, sizes: list[Size]) -> None:
        """Add what an order costs at each size, and how many times the least one's."""
        for size in sizes:
            smallest = next(s for s in sizes if s.checkpoints == size.checkpoints)
            case = f"{size.orders:,} in store"
            case += ", again at the end" * size.is_again
            case += ", checkpoint before each" * size.checkpoints
            if size is not smallest:
                ratio = size.total().median / smallest.total().median
                gate, goal = (None, None) if size.is_again else _GROWTH
                unit = f"x {smallest.orders:,}"
                self.figures.append(
                    Figure("growth", case, ratio, unit, None, gate, goal)
                )
                for name in [vault.STAGE, *marts.load_marts()]:
                    least = smallest.stages[name].median
                    ratio = size.stages[name].median / least
                    self.figures.append(
                        Figure("growth", f"{case}: {name}", ratio, unit)
                    )
            self._add_samples("growth", case, size.total(), "us/order", _MICRO)
            for stage, samples in size.stages.items():
                self._add_samples(
                    "growth", f"{case}: {stage}", samples, "us/order", _MICRO
                )
            self._add_samples("growth", f"{case}: WAL", size.wal, "KB/order", 1 / 1024)

    def add_latency(self, latency: Latency) -> None:
        """Add the percentiles, and the median time until each stage's commit."""
        case = f"a message every {latency.every:g} s"
        for percent, limits in ((50, _P50), (90, (None, None)), (99, _P99)):
            self.figures.append(
                Figure(
                    "latency",
                    f"{case}: p{percent}",
                    latency.to_marts.percentile(percent),
                    "s",
                    latency.to_marts,
                    *limits,
                )
            )
        in_order = sorted(latency.to_commit.items(), key=lambda item: item[1].median)
        for stage, samples in in_order:
            self._add_samples(
                "latency", f"{case}: until {stage} commits", samples, "s", 1
            )

    def _add_samples(
        self, section: str, case: str, samples: Samples, unit: str, scale: float
    ) -> None:
        scaled = Samples([value * scale for value in samples.values])
        self.figures.append(Figure(section, case, scaled.median, unit, scaled))

    def markdown(self) -> str:
        """Return the table, with what it was measured on above it."""
        lines = ["# Benchmark", ""]
        lines += [f"- {name}: {_text(value)}" for name, value in self.about.items()]
        lines += [
            "",
            "Read ratios: they come from one run. Spread: least to greatest of n.",
            "",
            "| section | case | value | unit | spread (n) | gates and goals |",
            "|---|---|--:|---|---|---|",
        ]
        for one in self.figures:
            spread = ""
            if one.samples:
                values = one.samples.values
                least, greatest = _number(min(values)), _number(max(values))
                spread = f"{least} to {greatest} ({len(values)})"
            cells = (
                one.section,
                one.case,
                _number(one.value),
                one.unit,
                spread,
                one.verdict(),
            )
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def write(self) -> Path:
        """Write both files; return the table's path."""
        name = self.about["date"].replace(":", "").replace(" ", "T")[:15]
        table = _FOLDER / f"{name}.md"
        table.write_text(self.markdown(), encoding="utf-8")
        figures = [
            {
                "section": one.section,
                "case": one.case,
                "value": one.value,
                "unit": one.unit,
                "samples": one.samples.values if one.samples else None,
                "gate": one.gate,
                "goal": one.goal,
                "verdict": one.verdict() or None,
            }
            for one in self.figures
        ]
        content = {"about": self.about, "figures": figures}
        table.with_suffix(".json").write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        return table


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)
