-- The first and the last school day every school reported absences for: who is not in its report of a day between them was there.
SELECT school_code, min(ordinal) AS first_ordinal, max(ordinal) AS reported_ordinal, max(absent_on) AS reported_on
FROM (
    SELECT coalesce(a.school_code, r.school_code) AS school_code, d.ordinal, a.absent_on
    FROM landed.absences a
    JOIN status.school_days d ON d.day = a.absent_on
    LEFT JOIN status.known_schools r ON r.student_number = a.student_number
) reported
WHERE school_code IS NOT NULL
GROUP BY school_code
