-- Every live record's leave of the configured length that covers the comparison date; a leave that was renewed without a day between is one.
-- Its row, and whose report that is, are those of the longest, lowest that covers the day.
WITH leaves AS (
    SELECT registry_row, leave_from, leave_to, absent_on, row, reported_by,
           max(leave_to) OVER (
               PARTITION BY registry_row ORDER BY leave_from, leave_to, row ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS leave_to_before
    FROM status.missed_days
    WHERE leave_from <= leave_to
), renewed AS (
    SELECT registry_row, leave_from, leave_to, absent_on, row, reported_by,
           sum(CASE WHEN leave_from <= leave_to_before + 1 THEN 0 ELSE 1 END) OVER (
               PARTITION BY registry_row ORDER BY leave_from, leave_to, row ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
           ) AS nth_leave
    FROM leaves
), whole AS (
    SELECT registry_row, nth_leave, min(leave_from) AS leave_from, max(leave_to) AS leave_to, max(absent_on) AS absent_on
    FROM renewed
    GROUP BY registry_row, nth_leave
    HAVING min(leave_from) <= $today AND max(leave_to) >= $today AND min(leave_from) + $long_leave_days <= max(leave_to) + 1
)
SELECT registry_row, leave_from, leave_to, absent_on, leave_row, reported_by
FROM (
    SELECT w.registry_row, w.leave_from, w.leave_to, w.absent_on, r.row AS leave_row, r.reported_by,
           row_number() OVER (PARTITION BY w.registry_row ORDER BY r.leave_to - r.leave_from DESC, r.row) AS nth
    FROM whole w
    JOIN renewed r ON r.registry_row = w.registry_row AND r.nth_leave = w.nth_leave AND r.leave_from <= $today AND r.leave_to >= $today
) covering
WHERE nth = 1
