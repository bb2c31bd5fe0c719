"""控辍保学: the nightly comparison of the student registry with the population register.

The library is pure: it computes and knows no Dagster (but for `kcb_pipeline.orchestration`).
"""

from importlib.metadata import version

__version__ = version("kcb-pipeline")
