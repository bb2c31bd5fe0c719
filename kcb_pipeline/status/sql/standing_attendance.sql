-- What stands of attendance that was said before tonight (extracts.md, Evidence lasts), a row a live record: that of a source which did not
-- come, and the last headcount or report of absences of a school that sent none tonight, or an older one, while other schools did. `code` of
-- such evidence is the `record_code` of attendance; with one live record it is of that one, whatever its number now is. A school that reports
-- under another code than the registry's is known by both.
SELECT p.person, p.registry_row,
       max(CASE WHEN e.kind = 'present' THEN e.from_date END) AS present_on,
       max(CASE WHEN e.kind = 'absent' THEN e.from_date END) AS absent_from,
       max(CASE WHEN e.kind = 'absent' THEN e.to_date END) AS absent_to,
       max(CASE WHEN e.kind = 'days_missed' THEN e.from_date END) AS missed_from,
       max(CASE WHEN e.kind = 'days_missed' THEN e.to_date END) AS missed_to,
       max(CASE WHEN e.kind = 'long_leave' AND e.to_date >= $today THEN e.from_date END) AS leave_from,
       max(CASE WHEN e.kind = 'long_leave' AND e.to_date >= $today THEN e.to_date END) AS leave_to,
       max(CASE WHEN e.kind = 'leave_reported' THEN e.from_date END) AS leave_said_on,
       max(CASE WHEN e.kind = 'not_in_headcount' THEN e.from_date END) AS missed_on,
       max(b.reported_by) AS reported_by
FROM (
    SELECT e.child_id, e.kind, e.source, e.code, e.from_date, e.to_date,
           CASE WHEN e.kind IN ('absent', 'days_missed') THEN e.to_date WHEN e.kind = 'long_leave' THEN coalesce(w.leave_said_on, e.from_date) ELSE e.from_date END AS last_said_of
    FROM previous_evidence e
    LEFT JOIN (
        SELECT child_id, code, max(from_date) AS leave_said_on FROM previous_evidence WHERE kind = 'leave_reported' GROUP BY child_id, code
    ) w ON w.child_id = e.child_id AND w.code = e.code
    WHERE e.kind IN ('present', 'absent', 'days_missed', 'long_leave', 'leave_reported', 'not_in_headcount')
) e
JOIN standard.children c ON c.child_id = e.child_id
JOIN (
    SELECT person, registry_row, student_number, school_code, count(*) OVER (PARTITION BY person) AS records
    FROM status.pupil_rows WHERE is_live
) p ON p.person = c.person AND (p.records = 1 OR e.code = p.student_number OR e.code = p.school_code)
LEFT JOIN status.headcounts h ON h.school_code = p.school_code
LEFT JOIN status.school_reports q ON q.school_code = p.school_code
LEFT JOIN (
    SELECT e.child_id, max(e.code) AS reported_by, max(r.reported_on) AS reported_on
    FROM previous_evidence e LEFT JOIN status.school_reports r ON r.school_code = e.code
    WHERE e.kind = 'reported_by' GROUP BY e.child_id
) b ON b.child_id = e.child_id AND e.source = 'absences'
WHERE e.source = 'in_school' AND (h.counted_on IS NULL OR h.counted_on < e.last_said_of)
   OR e.source = 'absences' AND (q.reported_on IS NULL OR q.reported_on < e.last_said_of)
                            AND (b.reported_on IS NULL OR b.reported_on < e.last_said_of)
GROUP BY p.person, p.registry_row
