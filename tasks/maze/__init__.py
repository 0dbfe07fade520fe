"""The Hard Maze of Lehman and Stanley (2011), as the public code of "Deep Neuroevolution" has it."""

from tasks.maze.task import HardMaze, ImageMaze

__all__ = ["HardMaze", "ImageMaze"]
