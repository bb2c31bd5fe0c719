-- The school days missed without reason (无故) that a version before knows of a record whose school reports it again tonight, before the
-- first day of that report: a school may send every day anew or only the new ones. What it reports anew holds.
SELECT p.registry_row, d.day AS absent_on, d.ordinal
FROM previous_evidence e
JOIN standard.children c ON c.child_id = e.child_id
JOIN (
    SELECT person, registry_row, student_number, school_code, count(*) OVER (PARTITION BY person) AS records
    FROM status.pupil_rows WHERE is_live
) p ON p.person = c.person AND (p.records = 1 OR e.code = p.student_number OR e.code = p.school_code)
JOIN status.school_days d ON d.day BETWEEN e.from_date AND e.to_date
JOIN (
    SELECT m.registry_row, min(q.first_ordinal) AS first_ordinal
    FROM status.missed_days m JOIN status.school_reports q ON q.school_code = m.reported_by
    WHERE m.kind = '无故'
    GROUP BY m.registry_row
) t ON t.registry_row = p.registry_row AND t.first_ordinal > d.ordinal
WHERE e.kind IN ('absent', 'days_missed')
