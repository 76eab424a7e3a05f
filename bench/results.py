"""The results of a run: one table for people, one JSON file for programs."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.floor import Floor
from bench.pipeline import FIRST_BATCH, BatchTimes
from bench.samples import Samples
from bench.system import growth
from bench.system.growth import Size
from bench.system.latency import Latency

_FOLDER = Path(__file__).parent / "results"
_MICRO = 1e6


@dataclass(frozen=True)
class Limits:
    """The required and the desired maximum."""

    gate: float
    goal: float

    def verdict(self, value: float) -> str:
        """Return which of them the value meets."""
        if value <= self.goal:
            return f"pass: gate ≤ {self.gate:g}, goal ≤ {self.goal:g}"
        if value <= self.gate:
            return f"pass: gate ≤ {self.gate:g}; goal ≤ {self.goal:g} missed"
        return f"fail: gate ≤ {self.gate:g} missed"


_PIPELINE = Limits(8, 4)
_GROWTH = Limits(2, 1.5)
_PERCENTILES = {50: Limits(3, 2), 90: None, 99: Limits(10, 5)}


@dataclass
class Figure:
    """One line of the table."""

    section: str
    case: str
    value: float
    unit: str
    samples: list[float]
    limits: Limits | None = None

    @property
    def verdict(self) -> str:
        """Return how the value compares with its limits, if it has any."""
        return self.limits.verdict(self.value) if self.limits else ""

    def cells(self) -> list[str]:
        """Return the line of the table."""
        least, greatest = _number(min(self.samples)), _number(max(self.samples))
        spread = f"{least} to {greatest} ({len(self.samples)})"
        value = _number(self.value)
        return [self.section, self.case, value, self.unit, spread, self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with every sample."""
        return {
            "section": self.section,
            "case": self.case,
            "value": self.value,
            "unit": self.unit,
            "samples": self.samples,
            "verdict": self.verdict or None,
        }


@dataclass
class Report:
    """All figures of a run, and the machine."""

    about: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)

    def add_pipeline(self, floor: Floor, batches: list[BatchTimes]) -> None:
        """Add the floor, each size of batch as a multiple of it, and its stages."""
        for name, one in (("consume", floor.consume), ("COPY", floor.copy)):
            self._add("floor", name, one, "us/message", _MICRO)
        self._add("floor", "both", floor.total, "us/message", _MICRO)
        for batch in batches:
            case = f"batch {batch.messages:,}"
            limits = None
            floors = [floor.total.median] * len(batch.total.values)
            if batch.messages == FIRST_BATCH:  # each has its own floor, before it
                floors, limits = floor.total.values, _PIPELINE
            pairs = zip(batch.total.values, floors, strict=True)
            ratios = Samples([total / one for total, one in pairs])
            self._add("pipeline", case, ratios, "x floor", limits=limits)
            self._add("pipeline", case, batch.total, "us/order", _MICRO)
            per_run = batch.messages * 1e3
            self._add("pipeline", f"{case}: the run", batch.total, "ms", per_run)
            for name, samples in batch.stages.items():
                self._add("pipeline", f"{case}: {name}", samples, "us/order", _MICRO)

    def add_growth(self, sizes: list[Size]) -> None:
        """Add what an order costs at each size, and as a multiple of the smallest."""
        for size in sizes:
            smallest = next(s for s in sizes if s.checkpoints == size.checkpoints)
            case = f"{size.orders:,} in store"
            case += ", checkpoint before each batch" * size.checkpoints
            for name in size.rounds[0]:
                label = f"{case}: {name}"
                if size is not smallest and name != growth.WAL:
                    ratios = size.ratios(name, smallest)
                    limits = _GROWTH if name == growth.TOTAL else None
                    unit = f"x {smallest.orders:,}"
                    self._add("growth", label, ratios, unit, limits=limits)
                samples = size.all_rounds(name)
                if name == growth.WAL:
                    self._add("growth", label, samples, "KB/order", 1 / 1024)
                else:
                    self._add("growth", label, samples, "us/order", _MICRO)

    def add_latency(self, latency: Latency) -> None:
        """Add the percentiles, and the median time until each stage's commit."""
        case = f"a message every {latency.every:g} s"
        all_values = latency.to_marts.values
        for percent, limits in _PERCENTILES.items():
            value = latency.to_marts.percentile(percent)
            label = f"{case}: p{percent}"
            self.figures.append(
                Figure("latency", label, value, "s", all_values, limits)
            )
        in_order = sorted(latency.to_commit.items(), key=lambda item: item[1].median)
        for stage, samples in in_order:
            self._add("latency", f"{case}: until {stage} commits", samples, "s")

    def markdown(self) -> str:
        """Return the table, below the machine."""
        lines = ["# Benchmark", ""]
        lines += [f"- {name}: {_text(value)}" for name, value in self.about.items()]
        lines += [
            "",
            "Read the ratios: they come from one run. Values are medians of n samples.",
            "",
            "| section | case | value | unit | least to greatest (n) | verdict |",
            "|---|---|--:|---|---|---|",
        ]
        # Required figures come first.
        in_order = sorted(self.figures, key=lambda one: one.limits is None)
        lines += [f"| {' | '.join(one.cells())} |" for one in in_order]
        return "\n".join(lines) + "\n"

    def write(self) -> Path:
        """Write both files; return the table's path."""
        name = self.about["date"].replace(":", "").replace(" ", "T")[:15]
        table = _FOLDER / f"{name}.md"
        table.write_text(self.markdown(), encoding="utf-8")
        content = {
            "about": self.about,
            "figures": [one.as_dict() for one in self.figures],
        }
        table.with_suffix(".json").write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        return table

    def _add(
        self,
        section: str,
        case: str,
        samples: Samples,
        unit: str,
        scale: float = 1,
        *,
        limits: Limits | None = None,
    ) -> None:
        values = [value * scale for value in samples.values]
        median = samples.median * scale
        self.figures.append(Figure(section, case, median, unit, values, limits))


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)
