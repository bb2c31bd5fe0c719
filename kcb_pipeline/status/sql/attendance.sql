-- Comparison ②, 学籍 × 在校: every live record of a linked person, and what says that the pupil is not there: current, and not
-- undone by later evidence (a headcount that shows the pupil later, a record dated later, but for one that says 停学). A pupil suspended in the
-- registry (02) is not expected there: the approval decides. A pupil without a student number cannot be counted by it: that no headcount
-- shows it says nothing, and no more where one shows a pupil of several who share a number without telling whom. `record_code` is the student
-- number, or the school where the number is not there or that of several of the pupil's records; `reported_by` the school whose report of absences says it,
-- which the registry may have under another code; `missed_to` the last day of a run of missed days that its school's last report has not ended, however short.
SELECT f.person, f.registry_row, f.student_number, f.school_code, f.registry_status, f.status_date, f.is_primary,
       f.record_code, f.present_on, f.present_row, f.counted_on,
       CASE WHEN f.is_expected AND f.missed_to IS NOT NULL AND f.are_enough_days AND (f.present_on IS NULL OR f.present_on <= f.missed_to)
                 AND (f.taken_back_on IS NULL OR f.taken_back_on <= f.missed_to) THEN true ELSE false END AS is_absent,
       f.absent_days, f.absent_from, f.absent_to, f.absent_row, f.missed_to,
       CASE WHEN f.is_expected AND f.leave_from IS NOT NULL AND (f.present_on IS NULL OR f.present_on <= f.leave_said_on)
                 AND (f.taken_back_on IS NULL OR f.taken_back_on <= f.leave_said_on) THEN true ELSE false END AS is_on_long_leave,
       f.leave_from, f.leave_to, f.leave_said_on, f.leave_row, f.reported_by,
       CASE WHEN f.is_expected AND f.counted_without_on + $headcount_days >= $today
                 AND (f.present_on IS NULL OR f.present_on < f.counted_without_on)
                 AND (f.taken_back_on IS NULL OR f.taken_back_on <= f.counted_without_on)
                 AND (f.enrolled_month IS NULL OR f.enrolled_month <= f.counted_without_on) THEN true ELSE false END AS is_not_in_headcount
FROM (
    SELECT p.person, p.registry_row, p.student_number, p.school_code, p.registry_status, p.status_date, p.enrolled_month, p.is_primary,
           CASE WHEN coalesce(p.registry_status, '') <> '04' THEN p.status_date END AS taken_back_on,
           CASE WHEN b.person IS NULL THEN coalesce(p.student_number, p.school_code) ELSE coalesce(p.school_code, p.student_number) END AS record_code,
           coalesce(p.registry_status, '') <> '02' AS is_expected,
           CASE WHEN l.present_on > coalesce(s.present_on, n.present_on) THEN l.present_on
                ELSE coalesce(s.present_on, n.present_on, l.present_on) END AS present_on,
           CASE WHEN l.present_on > coalesce(s.present_on, n.present_on) THEN NULL ELSE coalesce(s.present_row, n.present_row) END AS present_row,
           -- what a headcount said before stands only where tonight's of that school is older
           coalesce(l.missed_on, h.counted_on) AS counted_on,
           CASE WHEN l.missed_on IS NOT NULL THEN l.missed_on
                WHEN p.student_number IS NOT NULL AND coalesce(s.untold_on < h.counted_on, true) THEN h.counted_on END AS counted_without_on,
           CASE WHEN a.days IS NULL THEN coalesce(l.absent_to, l.missed_to)
                WHEN a.ordinal_to = q.reported_ordinal AND coalesce(o.reported_ordinal <= a.ordinal_to, true) THEN a.day_to END AS missed_to,
           CASE WHEN a.days IS NULL THEN l.absent_to IS NOT NULL ELSE a.days >= $absent_days END AS are_enough_days,
           a.days AS absent_days, coalesce(a.day_from, l.absent_from, l.missed_from) AS absent_from,
           coalesce(a.day_to, l.absent_to, l.missed_to) AS absent_to,
           a.last_row AS absent_row,
           coalesce(g.absent_on, l.leave_said_on) AS leave_said_on, coalesce(g.leave_from, l.leave_from) AS leave_from,
           coalesce(g.leave_to, l.leave_to) AS leave_to, g.leave_row, coalesce(a.reported_by, g.reported_by, l.reported_by) AS reported_by
    FROM status.pupil_rows p
    LEFT JOIN status.presences s ON s.registry_row = p.registry_row
    LEFT JOIN status.stray_presences n ON n.registry_row = p.registry_row
    LEFT JOIN status.headcounts h ON h.school_code = p.school_code
    LEFT JOIN status.standing_attendance l ON l.registry_row = p.registry_row AND l.person = p.person
    LEFT JOIN status.absence_streaks a ON a.registry_row = p.registry_row AND coalesce(greatest(l.absent_to, l.missed_to) <= a.day_to, true)
    LEFT JOIN status.long_leaves g ON g.registry_row = p.registry_row AND (l.leave_from IS NULL OR l.leave_said_on <= g.absent_on)
    LEFT JOIN status.school_reports q ON q.school_code = a.reported_by
    LEFT JOIN status.school_reports o ON o.school_code = p.school_code
    LEFT JOIN (
        SELECT person, student_number FROM status.pupil_rows WHERE is_live GROUP BY person, student_number HAVING count(*) > 1
    ) b ON b.person = p.person AND b.student_number = p.student_number
    WHERE p.is_live
) f
