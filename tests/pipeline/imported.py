"""What a night of `kcb` and what is asked of it import on their way, for the server of `tests.pipeline.warm` to import once."""

import kcb_pipeline.cli
import kcb_pipeline.orchestration.definitions
import kcb_pipeline.orchestration.run
import kcb_pipeline.terminal  # noqa: F401
from kcb_pipeline.gx import import_alone

import_alone()
