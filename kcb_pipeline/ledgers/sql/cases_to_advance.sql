-- Every child whose case tonight may open or move: it has one, or its status opens one; with the facts a case needs.
-- `doubted_on` is the last day of which the evidence said that the child was not there: what shows it there has to be later.
-- `is_newly_elsewhere`: of several live records the one that is shown is at a school where the version before knew of none of the child's (a
-- record whose school merely has another code is one record).
-- Of tables of all children those of the few are taken before they are joined: joined whole, each would be held in memory beside the others.
WITH few AS (
    SELECT child_id FROM status.child_statuses WHERE status IN ('unenrolled', 'suspected', 'dropout')
    UNION
    SELECT child_id FROM previous_cases
), standing AS (
    SELECT * FROM status.child_statuses WHERE child_id IN (SELECT child_id FROM few)
), known AS (
    SELECT person, child_id FROM standard.children WHERE child_id IN (SELECT child_id FROM few)
)
SELECT i.child_id, s.status, s.reason, s.verdict, s.verdict_on, s.verdict_row,
       s.registry_row, x.registry_status, s.live_rows, s.suspended_rows, s.present_on, s.present_row, s.latest_live_change, s.struck_off_on, s.struck_off_kind, s.struck_off_row,
       s.abroad_since, s.abroad_row, s.leave_until, s.leave_row, s.leave_ended_on, s.deferred_until, s.deferral_row, s.deferral_ended_on, s.deferral_ended_row,
       s.exemption_row, s.elsewhere_on, s.elsewhere_row, s.specialised_row, s.disability_row, s.absent_from, s.absent_to, s.absent_row,
       s.long_leave_from, s.long_leave_to, s.long_leave_row, s.missed_headcount_on, s.dead_row, s.dead_on, s.graduated_row,
       s.home_teaching_row, s.special_row, s.special_placement_code, s.disability_placement,
       s.verdict_until, s.duplicate_of, f.population_type, h.residence, f.population_row, f.school_name, f.township_name, f.grade, f.match_method,
       d.population_type AS kept_type, d.population_row AS kept_row,
       coalesce(p.birth_date, o.birth_date) AS birth_date, CASE WHEN p.population_type = 'registered' AND p.row > 0 THEN p.row END AS present_population_row,
       coalesce(e.doubted_on, v.doubted_on) AS doubted_on, a.missed_on, q.reported_on, w.reported_row,
       coalesce(s.live_rows > 1 AND f.school_code <> o.school_code AND u.child_id IS NULL, false) AS is_newly_elsewhere
FROM few i
LEFT JOIN standing s ON s.child_id = i.child_id
LEFT JOIN previous_cases c ON c.child_id = i.child_id
LEFT JOIN (
    SELECT person, registry_status FROM status.enrolments WHERE person IN (SELECT person FROM standing)
) x ON x.person = s.person
LEFT JOIN (SELECT * FROM draft.children WHERE child_id IN (SELECT child_id FROM few)) f ON f.child_id = s.child_id
LEFT JOIN (SELECT * FROM draft.children WHERE child_id IN (SELECT duplicate_of FROM standing)) d ON d.child_id = s.duplicate_of
LEFT JOIN (
    SELECT child_id, min(code) AS residence FROM status.evidence WHERE kind = 'residence' GROUP BY child_id
) h ON h.child_id = s.child_id
LEFT JOIN (
    SELECT child_id, birth_date, school_code FROM previous_child_facts WHERE child_id IN (SELECT child_id FROM previous_cases)
) o ON o.child_id = c.child_id
LEFT JOIN (
    SELECT child_id, school_code FROM previous_duplicate_enrolments
    UNION
    SELECT child_id, duplicate_school_code FROM previous_duplicate_enrolments
) u ON u.child_id = c.child_id AND u.school_code = f.school_code
LEFT JOIN known n ON n.child_id = c.child_id
LEFT JOIN (SELECT * FROM standard.persons WHERE person IN (SELECT person FROM known)) p ON p.person = n.person
LEFT JOIN (
    SELECT child_id, max(CASE WHEN kind = 'absent' THEN to_date ELSE from_date END) AS doubted_on
    FROM previous_evidence WHERE kind IN ('absent', 'long_leave', 'not_in_headcount') GROUP BY child_id
) e ON e.child_id = c.child_id
LEFT JOIN (
    SELECT case_id, max(CASE WHEN event IN ('opened', 'reopened', 'relapsed', 'reason_changed') THEN occurred_on END) AS doubted_on
    FROM previous_case_events GROUP BY case_id
) v ON v.case_id = c.case_id
LEFT JOIN (SELECT registry_row, max(absent_on) AS missed_on FROM status.missed_days GROUP BY registry_row) a ON a.registry_row = s.registry_row
LEFT JOIN status.school_reports q ON q.school_code = f.school_code
LEFT JOIN (SELECT school_code, absent_on, min(row) AS reported_row FROM landed.absences GROUP BY school_code, absent_on) w
  ON w.school_code = q.school_code AND w.absent_on = q.reported_on
ORDER BY 1
