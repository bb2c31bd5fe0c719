-- Every live record's last day counted as present, wherever, and the lowest row that says so. A row under a number that several persons share speaks
-- of whom its name tells, or without a name its school; where neither tells, of nobody: then it is `untold_on` that it may have been each of them.
SELECT registry_row, max(CASE WHEN is_meant AND nth = 1 THEN counted_on END) AS present_on,
       max(CASE WHEN is_meant AND nth = 1 THEN row END) AS present_row,
       max(CASE WHEN NOT is_told THEN counted_on END) AS untold_on
FROM (
    SELECT registry_row, row, counted_on, is_meant, is_told,
           row_number() OVER (PARTITION BY registry_row, is_meant ORDER BY counted_on DESC, row) AS nth
    FROM (
        SELECT p.registry_row, i.row, i.counted_on, true AS is_meant, true AS is_told
        FROM landed.in_school i
        JOIN status.pupil_rows p ON p.student_number = i.student_number AND p.is_live
        LEFT JOIN status.shared_numbers n ON n.registry_row = p.registry_row
        WHERE i.present AND n.registry_row IS NULL
        UNION ALL
        SELECT registry_row, row, counted_on, is_meant, max(CASE WHEN is_meant THEN 1 ELSE 0 END) OVER (PARTITION BY row) = 1
        FROM (
            SELECT n.registry_row, i.row, i.counted_on,
                   coalesce(CASE WHEN i.name IS NULL OR i.name = n.name AND NOT n.is_told_by_name THEN n.is_told_by_school AND n.school_code = i.school_code
                                 ELSE i.name = n.name END, false) AS is_meant
            FROM landed.in_school i
            JOIN status.shared_numbers n ON n.student_number = i.student_number
            WHERE i.present
        ) shared
    ) counted
) dated
GROUP BY registry_row
