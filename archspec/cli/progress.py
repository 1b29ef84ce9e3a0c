"""Progress display of long steps, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str, float | None], None]


@contextmanager
def progress(*, enabled: bool) -> Iterator[Tell | None]:
    """Show the progress of stages: on a terminal as a bar each, elsewhere as one line when a stage begins.

    Yields a callback that takes the name of a stage and the fraction of it that is done (None: not known); None if the
    display is not enabled.
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
            # Without a terminal, such as in a log file, bars would print control characters.
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=None if fraction is None else 1.0)
                if not console.is_terminal:
                    console.print(stage, markup=False, highlight=False)
            if fraction is not None:
                bars.update(bars.task_ids[tasks[stage]], total=1.0, completed=fraction)

        yield tell
