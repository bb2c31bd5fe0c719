-- Every child of school age with its reason and the status that the reason means.
SELECT c.*, r.status, r.severity
FROM status.child_reasons c JOIN status.reasons r ON r.reason = c.reason
