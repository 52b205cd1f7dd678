"""Tells on standard error that the speech model is being prepared, which happens once."""

from rich.console import Console
from rich.progress import Progress, TaskID


class Preparing:
    """A progress bar over bytes, shown from the first piece to the last."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, of: int) -> None:
        """Show how far it is. Called from one thread."""
        if self._progress is None or self._task is None:
            if not self._console.is_terminal:
                self._console.print("Preparing the speech model (once) …")
            self._progress = Progress(console=self._console, transient=True, disable=not self._console.is_terminal)
            self._task = self._progress.add_task("Preparing the speech model (once)", total=of)
            self._progress.start()
        self._progress.update(self._task, completed=done)
        if done >= of:
            self._progress.stop()
            self._progress = None
