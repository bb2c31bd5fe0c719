-- Every pupil's leave of the configured length that covers the comparison date; the longest, lowest row.
SELECT student_number, leave_from, leave_to, absent_on, row AS leave_row
FROM (
    SELECT student_number, leave_from, leave_to, max(absent_on) OVER (PARTITION BY student_number) AS absent_on, row,
           row_number() OVER (PARTITION BY student_number ORDER BY leave_to - leave_from DESC, row) AS nth
    FROM landed.absences
    WHERE leave_from <= $today AND leave_to >= $today AND leave_from + $long_leave_days <= leave_to + 1
) covering
WHERE nth = 1
