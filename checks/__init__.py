"""Gates: Great Expectations suites over facts (`suites`), and their adapter to blocking asset checks (`gates`)."""
