-- The last headcount of every school. A row without a school belongs to the school where the registry has its pupil.
SELECT school_code, max(counted_on) AS counted_on
FROM (
    SELECT coalesce(i.school_code, r.school_code) AS school_code, i.counted_on
    FROM landed.in_school i
    LEFT JOIN status.known_schools r ON r.student_number = i.student_number
) counted
WHERE school_code IS NOT NULL
GROUP BY school_code
