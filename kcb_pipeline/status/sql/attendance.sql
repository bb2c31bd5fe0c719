-- Comparison ②, 学籍 × 在校: every live record of a linked person, and what says that the pupil is not there: current, and not
-- undone by later evidence (a headcount that shows the pupil later, a record dated after the headcount). A pupil suspended in the
-- registry (02) is not expected there: the approval decides.
SELECT p.person, p.registry_row, p.student_number, p.school_code, p.registry_status, p.status_date, p.is_primary,
       s.present_on, s.present_row, h.counted_on,
       CASE WHEN coalesce(p.registry_status, '') <> '02' AND a.days >= $absent_days AND a.ordinal_to = q.reported_ordinal
                 AND (s.present_on IS NULL OR s.present_on <= a.day_to)
                 AND (p.status_date IS NULL OR p.status_date <= a.day_to) THEN true ELSE false END AS is_absent,
       a.days AS absent_days, a.day_from AS absent_from, a.day_to AS absent_to, a.last_row AS absent_row,
       CASE WHEN coalesce(p.registry_status, '') <> '02' AND l.student_number IS NOT NULL AND (s.present_on IS NULL OR s.present_on <= l.absent_on)
            THEN true ELSE false END AS is_on_long_leave,
       l.leave_from, l.leave_to, l.leave_row,
       CASE WHEN coalesce(p.registry_status, '') <> '02' AND h.counted_on IS NOT NULL AND h.counted_on + $headcount_days >= $today
                 AND (s.present_on IS NULL OR s.present_on < h.counted_on)
                 AND (p.status_date IS NULL OR p.status_date <= h.counted_on)
                 AND (p.enrolled_month IS NULL OR p.enrolled_month <= h.counted_on) THEN true ELSE false END AS is_not_in_headcount
FROM status.pupil_rows p
LEFT JOIN status.presences s ON s.student_number = p.student_number
LEFT JOIN status.absence_streaks a ON a.student_number = p.student_number
LEFT JOIN status.school_reports q ON q.school_code = p.school_code
LEFT JOIN status.long_leaves l ON l.student_number = p.student_number
LEFT JOIN status.headcounts h ON h.school_code = p.school_code
WHERE p.is_live
