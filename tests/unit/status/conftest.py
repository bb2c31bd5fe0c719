"""What the tests of the status share: laws without a deadline."""

from hypothesis import settings

# A slow machine is no fault of the code: what these laws hold is values, not times.
settings.register_profile("any machine", deadline=None, max_examples=40)
settings.load_profile("any machine")
