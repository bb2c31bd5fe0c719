-- Every live record's leave of the configured length that covers the comparison date; the longest, lowest row.
SELECT registry_row, leave_from, leave_to, absent_on, row AS leave_row, reported_by
FROM (
    SELECT registry_row, leave_from, leave_to, max(absent_on) OVER (PARTITION BY registry_row) AS absent_on, row, reported_by,
           row_number() OVER (PARTITION BY registry_row ORDER BY leave_to - leave_from DESC, row) AS nth
    FROM status.missed_days
    WHERE leave_from <= $today AND leave_to >= $today AND leave_from + $long_leave_days <= leave_to + 1
) covering
WHERE nth = 1
