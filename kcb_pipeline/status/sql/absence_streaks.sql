-- Every live record's last run of consecutive school days missed without reason (无故), by school-day ordinals, those before tonight's report
-- included; other days do not count. Its row, and whose report that is, are those of its last day.
SELECT r.registry_row, r.ordinal_from, r.ordinal_to, r.ordinal_to - r.ordinal_from + 1 AS days, r.day_from, r.day_to,
       m.row AS last_row, m.reported_by
FROM (
    SELECT registry_row, min(ordinal) AS ordinal_from, max(ordinal) AS ordinal_to, min(absent_on) AS day_from,
           max(absent_on) AS day_to,
           row_number() OVER (PARTITION BY registry_row ORDER BY max(ordinal) DESC) AS nth
    FROM (
        SELECT registry_row, absent_on, ordinal,
               ordinal - row_number() OVER (PARTITION BY registry_row ORDER BY ordinal) AS run
        FROM (
            SELECT a.registry_row, a.absent_on, d.ordinal
            FROM status.missed_days a JOIN status.school_days d ON d.day = a.absent_on
            WHERE a.kind = '无故'
            UNION
            SELECT registry_row, absent_on, ordinal FROM status.earlier_absences
        ) missed
    ) numbered
    GROUP BY registry_row, run
) r
JOIN (
    SELECT registry_row, absent_on, row, reported_by, row_number() OVER (PARTITION BY registry_row, absent_on ORDER BY row) AS nth
    FROM status.missed_days WHERE kind = '无故'
) m ON m.registry_row = r.registry_row AND m.absent_on = r.day_to AND m.nth = 1
WHERE r.nth = 1
