"""The demo: a day of a small roaming world, played by real processes over real HTTP.

Purpose: shows the whole main job and leaves a clearing house to try things on. May
import everything below the CLI and the reference roaming endpoint. To add a story,
write a function in ``stories.py`` and name it in ``STORIES``.
"""
