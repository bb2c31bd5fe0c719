"""How good and how fast the matching is, measured against others on the same data, in the same run, on the same machine.

`python -m benchmarks --help` runs it. Nothing of the pipeline imports this package, and nothing here is tuned on the truth of the
data it measures with.
"""

import kcb_pipeline  # noqa: F401 -- before Polars, whose allocator it sets
