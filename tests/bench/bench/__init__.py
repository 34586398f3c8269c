"""The benchmark of nself: it, its rivals and the engine's own floor, side by side in one run.

`project` says what is to run, in nobody's words; each of `tools` writes that down in its own words and does what is
asked of it; each file of `rows` is one row of the table. `measure` takes times and memory, `table` shows them.
"""
