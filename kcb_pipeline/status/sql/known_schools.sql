-- The school where the registry has the pupil of a student number, for rows that name none: that of its live records, and none where they are
-- of several schools.
SELECT r.student_number, min(r.school_code) AS school_code
FROM landed.student_registry r
JOIN standard.registry_keys k ON k.row = r.row AND k.is_live
WHERE r.student_number IS NOT NULL AND r.school_code IS NOT NULL
GROUP BY r.student_number
HAVING min(r.school_code) = max(r.school_code)
