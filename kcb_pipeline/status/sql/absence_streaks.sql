-- Every live record's last run of consecutive school days missed without reason (无故), by school-day ordinals; other days do not count.
SELECT registry_row, ordinal_from, ordinal_to, ordinal_to - ordinal_from + 1 AS days, day_from, day_to, last_row
FROM (
    SELECT registry_row, min(ordinal) AS ordinal_from, max(ordinal) AS ordinal_to, min(absent_on) AS day_from,
           max(absent_on) AS day_to, max(row) AS last_row,
           row_number() OVER (PARTITION BY registry_row ORDER BY max(ordinal) DESC) AS nth
    FROM (
        SELECT registry_row, absent_on, ordinal, row,
               ordinal - row_number() OVER (PARTITION BY registry_row ORDER BY ordinal) AS run
        FROM (
            SELECT a.registry_row, a.absent_on, d.ordinal, max(a.row) AS row
            FROM status.missed_days a JOIN status.school_days d ON d.day = a.absent_on
            WHERE a.kind = '无故'
            GROUP BY a.registry_row, a.absent_on, d.ordinal
        ) missed
    ) numbered
    GROUP BY registry_row, run
) runs
WHERE nth = 1
