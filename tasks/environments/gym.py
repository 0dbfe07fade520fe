"""Gymnasium, imported late: environments by id, with errors that say what to install or what was meant."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from evosearch.errors import MissingDependencyError, TaskError

if TYPE_CHECKING:
    import gymnasium

INSTALL = "pip install 'evosearch[rl]'"
LOGGER = logging.getLogger(__name__)


def make(env: str, steps: int | None, options: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    """The environment of that id, such as "CartPole-v1" or "package:Id-v0".

    Args:
        steps: most steps of an episode; None for the environment's own limit.
        options: keyword arguments of the environment.

    Raises:
        MissingDependencyError: where Gymnasium or what the environment needs is not installed.
        TaskError: for an unknown id, or options that the environment does not take.
    """
    try:
        import gymnasium
    except ImportError:
        raise MissingDependencyError(f"environments need Gymnasium, which is not installed: {INSTALL}") from None
    if env.startswith("ALE/"):  # known to Gymnasium or not, as other parts of the process have imported ale-py or not
        game = env.removeprefix("ALE/").partition("-")[0]
        raise TaskError(
            f"{env}: Atari games are a task of their own: --set task.use=tasks.environments:Atari --set task.env={game}"
        )
    more = {} if steps is None else {"max_episode_steps": steps}
    try:
        known = gymnasium.registry.get(env)
        if known is not None and "mujoco" in str(known.entry_point):
            _log_warnings_of_mujoco()
        return gymnasium.make(env, disable_env_checker=True, **more, **options)
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        came = f"classic control and MuJoCo come with {INSTALL}"
        raise MissingDependencyError(f"the environment {env} needs more: {str(error).rstrip('.')}; {came}") from None
    except gymnasium.error.UnregisteredEnv as error:
        nearest = nearest_known(env, gymnasium.registry)
        raise TaskError(f"there is no environment '{env}' ({error}); {nearest}. More come with {INSTALL}") from None
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise TaskError(f"the environment '{env}' cannot be made ({said}); mend task.env or task.options") from None


def nearest_known(name: str, known: Iterable[str]) -> str:
    """The names most like `name` among so many that they would fill a screen."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.3)
    return f"the nearest known: {', '.join(close)}" if close else "none is known that is like it"


def _log_warnings_of_mujoco() -> None:
    """MuJoCo warns on the terminal and in a file of its own in the current folder, unless it is told where to: here the log."""
    with suppress(ImportError):  # making the environment says what is missing
        import mujoco

        mujoco.set_mju_user_warning(LOGGER.info)
