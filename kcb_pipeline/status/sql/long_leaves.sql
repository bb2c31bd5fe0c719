-- Every live record's leave of the configured length that covers the comparison date. A leave that was renewed without a day between is one; one
-- after which a headcount showed the pupil is renewed by none. Its row, and whose report that is, are those of the longest, lowest that covers the day.
WITH leaves AS (
    SELECT m.registry_row, m.leave_from, m.leave_to, m.absent_on, m.row, m.reported_by,
           max(m.leave_to) OVER (
               PARTITION BY m.registry_row ORDER BY m.leave_from, m.leave_to, m.row ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS leave_to_before
    FROM status.missed_days m
    LEFT JOIN status.presences p ON p.registry_row = m.registry_row
    WHERE m.leave_from <= m.leave_to AND coalesce(p.present_on <= m.absent_on, true)
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
    HAVING min(leave_from) + $long_leave_days <= max(leave_to) + 1
)
SELECT registry_row, leave_from, leave_to, absent_on, leave_row, reported_by
FROM (
    SELECT w.registry_row, w.leave_from, w.leave_to, w.absent_on, r.row AS leave_row, r.reported_by,
           row_number() OVER (PARTITION BY w.registry_row ORDER BY r.leave_to - r.leave_from DESC, r.row) AS nth
    FROM whole w
    JOIN renewed r ON r.registry_row = w.registry_row AND r.nth_leave = w.nth_leave AND r.leave_from <= $today AND r.leave_to >= $today
) covering
WHERE nth = 1
