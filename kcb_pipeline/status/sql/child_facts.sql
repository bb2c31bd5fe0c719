-- Everything that the rules of a child's status look at, one row a child of school age.
SELECT s.child_id, s.person, s.population_type, s.population_row, s.is_live, s.state, s.birth_date, s.sex, s.duplicate_of,
       n.registry_row, n.method, n.probability, coalesce(n.live_rows, 0) AS live_rows, coalesce(n.senior_rows, 0) AS senior_rows,
       coalesce(n.unattended_rows, 0) AS unattended_rows, coalesce(n.suspended_rows, 0) AS suspended_rows,
       coalesce(n.unknown_rows, 0) AS unknown_rows, n.graduated_row, n.home_teaching_row, n.special_row, n.special_placement_code,
       n.present_on, n.present_row, n.latest_live_change, n.dead_row, n.dead_status, n.dead_grade, n.dead_on,
       e.struck_off_on, e.struck_off_kind, e.struck_off_row, e.abroad_since, e.abroad_row, e.leave_until, e.leave_row, e.leave_ended_on,
       e.deferred_until, e.deferral_row, e.deferral_ended_on, e.deferral_ended_row, e.exempted_until, e.exemption_row, e.elsewhere_on, e.elsewhere_row,
       e.specialised_since, e.specialised_row, e.is_disabled, e.disability_placement, e.disability_row, e.is_poor,
       e.absent_from, e.absent_to, e.absent_row, e.long_leave_from, e.long_leave_to, e.long_leave_row, e.missed_headcount_on,
       e.carried_since, coalesce(n.present_on > e.carried_since OR n.latest_live_change > e.carried_since, false) AS is_carried_undone,
       r.candidates, r.candidate_row,
       v.result AS verdict, v.verified_on AS verdict_on, v.until AS verdict_until, v.reason AS verdict_reason,
       v.source_row AS verdict_row, v.landed_on AS verdict_landed_on, y.school_year_end AS verdict_year_end,
       coalesce(n.latest_live_change > v.verified_on, false) AS is_enrolled_since,
       coalesce(n.present_on > v.verified_on, false) AS is_present_since
FROM status.school_age_persons s
LEFT JOIN status.enrolments n ON n.person = s.person
LEFT JOIN status.child_evidence e ON e.child_id = s.child_id
LEFT JOIN status.candidates r ON r.person = s.person
LEFT JOIN status.verdicts v ON v.child_id = s.child_id
LEFT JOIN status.school_years y ON v.verified_on BETWEEN y.school_year_start AND y.school_year_end
