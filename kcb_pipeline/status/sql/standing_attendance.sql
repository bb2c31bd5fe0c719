-- What stands of attendance that was said before tonight (extracts.md, Evidence lasts), a row a live record: that of a source which did not
-- come, and the last headcount of a school that sent none tonight, or an older one, while other schools did. `code` of such evidence is the
-- `record_code` of attendance; with one live record it is of that one, whatever its number now is.
SELECT p.person, p.registry_row,
       max(CASE WHEN e.kind = 'present' THEN e.from_date END) AS present_on,
       max(CASE WHEN e.kind = 'absent' THEN e.from_date END) AS absent_from,
       max(CASE WHEN e.kind = 'absent' THEN e.to_date END) AS absent_to,
       max(CASE WHEN e.kind = 'long_leave' AND e.to_date >= $today THEN e.from_date END) AS leave_from,
       max(CASE WHEN e.kind = 'long_leave' AND e.to_date >= $today THEN e.to_date END) AS leave_to,
       max(CASE WHEN e.kind = 'leave_reported' THEN e.from_date END) AS leave_said_on,
       max(CASE WHEN e.kind = 'not_in_headcount' THEN e.from_date END) AS missed_on
FROM previous_evidence e
JOIN standard.children c ON c.child_id = e.child_id
JOIN (
    SELECT person, registry_row, student_number, school_code, count(*) OVER (PARTITION BY person) AS records
    FROM status.pupil_rows WHERE is_live
) p ON p.person = c.person AND (p.records = 1 OR e.code = p.student_number OR e.code = p.school_code)
LEFT JOIN status.headcounts h ON h.school_code = p.school_code
WHERE e.kind IN ('present', 'absent', 'long_leave', 'leave_reported', 'not_in_headcount')
  AND (e.source NOT IN (SELECT source FROM status.sources_tonight)
       OR e.source = 'in_school' AND (h.counted_on IS NULL OR h.counted_on < e.from_date))
GROUP BY p.person, p.registry_row
