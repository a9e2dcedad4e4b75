"""The processes that train: a supervisor, and one single-use child per run.

Started as ``python -m lossdiag.worker`` and never imported by the server process, because it imports torch. The
supervisor warms torch up once, then forks a child for each run in a few milliseconds; where a warm torch may not be
forked (macOS, Windows, runs on a GPU) it starts fresh processes instead, one ahead of need.
"""
