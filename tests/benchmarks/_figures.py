"""What a benchmark reached, beside what it should reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure with its target; ``where`` says where the time went.

    ``at_least`` is for rates; times are at most their target.
    """

    name: str
    reached: float
    target: float
    unit: str
    at_least: bool = False
    where: tuple[str, ...] = ()

    @property
    def is_reached(self) -> bool:
        """Whether the target is met."""
        if self.at_least:
            return self.reached >= self.target
        return self.reached <= self.target

    @property
    def line(self) -> str:
        """The figure in one line."""
        bound = "at least" if self.at_least else "at most"
        word = "reached" if self.is_reached else "LESS"
        return (
            f"{self.name:30} {self.reached:10.1f} {self.unit:6} "
            f"{bound} {self.target:8.0f}  {word}"
        )

    def show(self) -> None:
        """Print the figure and, when it falls short, where the time went."""
        print(self.line)
        if not self.is_reached:
            for one in self.where:
                print(f"    {one}")
