-- The school where the registry has the pupil of a student number, for rows that name none: that of its live records, and none where they are
-- of several schools. A number that a pupil bore before is that pupil's.
SELECT student_number, min(school_code) AS school_code
FROM (
    SELECT r.student_number, r.school_code
    FROM landed.student_registry r
    JOIN standard.registry_keys k ON k.row = r.row AND k.is_live
    UNION ALL
    SELECT n.student_number, p.school_code
    FROM status.renumbered n JOIN status.pupil_rows p ON p.registry_row = n.registry_row
) known
WHERE student_number IS NOT NULL AND school_code IS NOT NULL
GROUP BY student_number
HAVING min(school_code) = max(school_code)
