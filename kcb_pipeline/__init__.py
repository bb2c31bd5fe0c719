"""控辍保学: the nightly comparison of the student registry with the population register.

The library is pure: it computes and knows no Dagster (but for `kcb_pipeline.orchestration`).
"""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for: to find a distribution takes longer than to import all of this library."""
    if name == "__version__":
        from importlib.metadata import version

        return version("kcb-pipeline")
    raise AttributeError(name)
