"""A month of SDRs that came in as they do: sent, checked, rated, stored by the server.

What is measured afterwards (closing, statements, sealing, proving) works on rows that
intake made, so that nothing here can be more convenient than the truth.
"""

from __future__ import annotations

import json as json_text
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clearinghouse import app
from clearinghouse.services import settlement
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings
from tests.benchmarks._figures import Figure
from tests.benchmarks._processes import cpu_seconds
from tests.benchmarks.intake import send_all, sendings
from tests.running.house import House

#: SDRs of the month; ``MONTH_SDRS`` says another number.
SDRS = 1_000_000


@dataclass(slots=True)
class Month:
    """A window with its SDRs, and how long each step with it took, in seconds.

    ``cpu``: what each step used here and in the database.
    """

    env: Environment
    window_id: int
    sdrs: int
    folder: Path
    server_pid: int
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step takes."""
        used, here = cpu_seconds(self.server_pid), time.process_time()
        began = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - began
        here = time.process_time() - here
        there = (cpu_seconds(self.server_pid) - used).database
        self.cpu[step] = f"CPU here {here:.1f} s, of the database {there:.1f} s"

    def close(self) -> None:
        """Close the window, once."""
        if "close" not in self.seconds:
            with self.timed("close"):
                settlement.close_window(self.env, next_label="2026-12")


def asked_sdrs() -> int:
    """Return how many SDRs the month has."""
    return int(os.environ.get("MONTH_SDRS", SDRS))


@contextmanager
def month() -> Iterator[Month]:
    """Give a month whose window is open; filling it takes a minute or two."""
    number = asked_sdrs()
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with House(folder / "var") as house:
            settings = Settings(state_dir=house.folder)
            with app.environment(settings) as env:
                began = time.perf_counter()
                senders = list(sendings(env, house.url, number))
                print(f"wrote {number} SDRs in {time.perf_counter() - began:.0f} s")
                began = time.perf_counter()
                with ThreadPoolExecutor(len(senders)) as pool:
                    list(pool.map(send_all, senders))
                seconds = time.perf_counter() - began
                print(f"sent them in {seconds:.0f} s, {number / seconds:.0f} a second")
                senders.clear()
                window = settlement.windows(env)[0]
                assert house.server is not None
                assert house.server.process is not None
                root = house.server.process.pid
                yield Month(env, window.window_id, number, folder, root)


def show(of_month: Callable[[Month], Figure], name: str, *, json: bool) -> None:
    """Measure one step on a month of its own and print; the last line is the figure."""
    with month() as made:
        figure = of_month(made)
    if json:
        print(json_text.dumps({name: figure.reached}))
        return
    figure.show()
