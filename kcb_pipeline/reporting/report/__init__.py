"""`report.html` of a version: what it counts, the words for it, its charts and its page."""
