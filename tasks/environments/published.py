"""Scores that others have published, by game and frames; each with its source in `published.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path


def published(game: str) -> dict[str, list[tuple[float, float]]]:
    """(frames of training and validation, test mean) by who has published it; empty for a game without."""
    curves = tomllib.loads(Path(__file__).with_name("published.toml").read_text(encoding="utf-8"))["curve"]
    return {one["label"]: [(float(x), float(y)) for x, y in one["points"]] for one in curves if one["game"] == game}
