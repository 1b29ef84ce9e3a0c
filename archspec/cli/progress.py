"""Progress of long steps, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str, float | None], None]


@contextmanager
def progress(*, enabled: bool) -> Iterator[Tell | None]:
    """Show stages as they come: give the callback a stage and how much of it is done (None: not known).

    On a terminal each stage is a bar; elsewhere each is one line when it begins.
    """
    if not enabled:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, int] = {}

        def tell(stage: str, fraction: float | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=None if fraction is None else 1.0)
                if not console.is_terminal:
                    console.print(stage, markup=False, highlight=False)
            if fraction is not None:
                bars.update(bars.task_ids[tasks[stage]], total=1.0, completed=fraction)

        yield tell
