"""Where runs are: numbered folders under ./runs/, found again by a unique prefix of their name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evosearch.errors import StoreError, nearest
from evosearch.search.store import FILE

RUNS = Path("runs")
"""Of the user's current folder."""


def new_folder(name: str, root: Path = RUNS) -> Path:
    """Make the next free folder NAME-N; StoreError where `root` cannot be written to."""
    number = 1 + max((_number(path.name, name) for path in root.glob(f"{name}-*")), default=0)
    while True:
        folder = root / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not root.is_dir():
                raise StoreError(f"cannot make {folder}: {root} is no folder; give another one with --out") from None
            number += 1  # another run was started at the same moment
        except OSError as error:
            raise StoreError(f"cannot write to {root}: {error.strerror}; give a folder of your own with --out") from None


def _number(folder: str, name: str) -> int:
    suffix = folder[len(name) + 1 :]
    return int(suffix) if suffix.isdecimal() else 0


def run_folders(root: Path = RUNS) -> Iterator[Path]:
    """The folders under `root` that hold a run, in the order of name and number."""

    def order(folder: Path) -> tuple[str, int, str]:
        name = folder.name.rpartition("-")[0]
        return name, _number(folder.name, name), folder.name

    yield from sorted((path.parent for path in root.glob(f"*/{FILE}")), key=order)


def find_folder(run: str | Path, root: Path = RUNS) -> Path:
    """The folder that RUN means: a folder that holds a run, a run's name under `root`, or a unique prefix of one."""
    path = Path(run)
    if (path / FILE).is_file():
        return path
    folders = {folder.name: folder for folder in run_folders(root)}
    if str(run) in folders:
        return folders[str(run)]
    matches = [name for name in folders if name.startswith(str(run))]
    if len(matches) == 1:
        return folders[matches[0]]
    if matches:
        raise StoreError(f"'{run}' may be any of {', '.join(matches)}; give more of the name")
    if path.is_dir():
        raise StoreError(f"{path} holds no run (there is no {FILE}); `evosearch list` shows the runs here")
    hint = nearest(str(run), folders) or f" There are no runs in {root.resolve()}."
    raise StoreError(f"there is no run '{run}'.{hint} Start one: evosearch run exp2")
