"""Generated kernels live in real files, one per content hash, and are imported from there.

Numba cannot cache source given to `exec`; and it checks a cached function against its own file only, so that a changed
callee in another file would leave stale machine code. The file's name therefore holds a hash of the source, of Numba's
version and of Python's, and generated source names the hash of every helper file it imports (`evosearch.backends.emit`).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from evosearch.errors import ConfigError

_TIMESTAMP = (946_684_800, 946_684_800)  # Numba compares the file's time: equal content must have equal times


def cache_folder() -> Path:
    """Where kernels are kept: $EVOSEARCH_CACHE_DIR, else evosearch/kernels in the user's cache folder."""
    chosen = os.environ.get("EVOSEARCH_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "evosearch" / "kernels"


def kernel_path(source: str, name: str) -> Path:
    """The file of a kernel module; it exists once the module was loaded on this machine."""
    versions = f"numba {version('numba')} python {sys.version_info[:2]}"
    digest = hashlib.sha256(f"{versions}\n{source}".encode()).hexdigest()[:20]
    return cache_folder() / f"{name}_{digest}.py"


def load_kernel_module(source: str, name: str) -> ModuleType:
    """The module that `source` defines; within a process the same source gives the same module.

    Args:
        source: Python source; its functions should be decorated with `njit(cache=True, error_model="numpy")`.
        name: a short identifier for people who look into the cache folder.

    Raises:
        ConfigError: where the cache folder is not writable.
    """
    return _load(kernel_path(source, name), source)


@functools.cache
def _load(path: Path, source: str) -> ModuleType:
    if not path.exists():
        _write(path, source)
    name = f"evosearch_kernels.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba looks a function's module up when it loads from its cache
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _write(path: Path, source: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(source)
        os.utime(temporary, _TIMESTAMP)
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigError(
            f"cannot write compiled kernels to {path.parent}: {error.strerror}; "
            "set EVOSEARCH_CACHE_DIR to a folder that you can write to"
        ) from None
