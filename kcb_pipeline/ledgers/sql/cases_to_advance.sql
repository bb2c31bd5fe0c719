-- Every child whose case tonight may open or move: it has one, or its status opens one; with the facts a case needs.
SELECT coalesce(s.child_id, c.child_id) AS child_id, s.status, s.reason, s.verdict, s.verdict_on, s.verdict_row,
       s.registry_row, s.live_rows, s.suspended_rows, s.present_on, s.present_row, s.latest_live_change, s.struck_off_on, s.struck_off_kind, s.struck_off_row,
       s.abroad_since, s.abroad_row, s.leave_until, s.leave_row, s.leave_ended_on, s.deferred_until, s.deferral_row, s.deferral_ended_on,
       s.exemption_row, s.elsewhere_on, s.elsewhere_row, s.specialised_row, s.disability_row, s.absent_from, s.absent_to, s.absent_row,
       s.long_leave_from, s.long_leave_to, s.long_leave_row, s.missed_headcount_on, s.dead_row, s.dead_on, s.graduated_row, s.candidates,
       s.candidate_row, s.verdict_until, f.population_row, f.school_name, f.township_name, f.grade, f.match_method
FROM (SELECT * FROM status.child_statuses WHERE status IN ('unenrolled', 'suspected', 'dropout')
         OR child_id IN (SELECT child_id FROM previous_cases)) s
FULL JOIN previous_cases c ON c.child_id = s.child_id
LEFT JOIN draft.children f ON f.child_id = s.child_id
ORDER BY 1
