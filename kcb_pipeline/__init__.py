"""控辍保学: the nightly comparison of the student registry with the population register.

The library is pure: it computes and knows no Dagster (but for `kcb_pipeline.orchestration`).
"""

import os

# Polars' allocator keeps four arenas for each core, and what was freed in one is of no use to another: one for each core holds a tenth less memory at
# the same speed (docs/benchmarks.md). It is read once, when Polars is first imported; whoever has set it has the last word.
os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{os.cpu_count() or 1}")


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for: to find a distribution takes longer than to import all of this library."""
    if name == "__version__":
        from importlib.metadata import version

        return version("kcb-pipeline")
    raise AttributeError(name)
