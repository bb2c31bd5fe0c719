-- Every child of school age with the facts, its reason, and the status that the reason means (data: kcb_pipeline/status/reasons.py). The
-- one reason, and so the one status, is the first rule that holds, in the order of the contract (extracts.md, Which status).
WITH facts AS (
    -- Everything that the rules look at, one row a child.
    SELECT s.child_id, s.person, s.population_type, s.population_row, s.is_live, s.state, s.birth_date, s.sex, s.duplicate_of,
           n.registry_row, n.method, n.probability, coalesce(n.live_rows, 0) AS live_rows, coalesce(n.senior_rows, 0) AS senior_rows,
           coalesce(n.unattended_rows, 0) AS unattended_rows, coalesce(n.suspended_rows, 0) AS suspended_rows,
           coalesce(n.unknown_rows, 0) AS unknown_rows, n.graduated_row, n.home_teaching_row, n.special_row, n.special_placement_code,
           n.present_on, n.present_row, n.latest_live_change, n.dead_row, n.dead_status, n.dead_grade, n.dead_on,
           e.struck_off_on, e.struck_off_kind, e.struck_off_row, e.abroad_since, e.abroad_row, e.came_back_on, e.leave_until, e.leave_row, e.leave_ended_on,
           e.deferred_until, e.deferral_row, e.deferral_ended_on, e.deferral_ended_row, e.exemption_row, e.elsewhere_on, e.elsewhere_row,
           e.specialised_row, e.is_disabled, e.disability_placement, e.disability_row, e.is_poor,
           e.absent_from, e.absent_to, e.absent_row, e.long_leave_from, e.long_leave_to, e.long_leave_row, e.missed_headcount_on,
           r.candidates,
           -- 05 复学: the registry has taken the pupil back, unless that ended an earlier leave than the one approved
           coalesce(n.resumed_rows, 0) > 0 AND coalesce(n.resumed_on >= e.leave_from, true) AS is_back_since_approval,
           v.result AS verdict, v.verified_on AS verdict_on, v.until AS verdict_until,
           v.source_row AS verdict_row, y.school_year_end AS verdict_year_end,
           coalesce(n.latest_live_change > v.verified_on, false) AS is_enrolled_since,
           coalesce(n.present_on > v.verified_on, false) AS is_present_since,
           coalesce(n.resumed_on > v.verified_on, false) AS is_back_since_verdict,
           -- what says that the pupil is not there is of no later day than the answer: it was known to who answered, and undoes no answer
           coalesce(v.verified_on >= coalesce(e.absent_to, v.verified_on) AND v.verified_on >= coalesce(e.long_leave_from, v.verified_on)
                    AND v.verified_on >= coalesce(e.missed_headcount_on, v.verified_on)
                    AND (coalesce(n.suspended_rows, 0) = 0 OR v.verified_on >= coalesce(n.suspended_on, v.verified_on)
                                                              AND v.verified_on >= coalesce(e.leave_ended_on, v.verified_on)), false) AS is_verified_since_doubt
    FROM status.school_age_persons s
    LEFT JOIN status.enrolments n ON n.person = s.person
    LEFT JOIN status.child_evidence e ON e.child_id = s.child_id
    LEFT JOIN status.candidates r ON r.person = s.person
    LEFT JOIN status.verdicts v ON v.child_id = s.child_id
    LEFT JOIN status.school_years y ON v.verified_on BETWEEN y.school_year_start AND y.school_year_end
)
SELECT c.*, r.status, r.severity
FROM (
    SELECT c.*,
           CASE
             -- 1 departed
             WHEN duplicate_of IS NOT NULL THEN 'duplicate_registration'
             WHEN state = 'dead' THEN 'registered_dead'
             WHEN state = 'emigrated' THEN 'registered_emigrated'
             WHEN state = 'moved_out' THEN 'moved_out'
             -- whose 户籍 moved away and who lives here by 居住证 is counted as a resident
             WHEN struck_off_kind IS NOT NULL AND NOT (struck_off_kind = '迁出' AND is_live AND population_type = 'resident') THEN 'struck_off'
             WHEN live_rows = 0 AND dead_status IN ('出国', '13') THEN 'registry_abroad'
             WHEN live_rows = 0 AND abroad_since + $abroad_days <= $today AND coalesce(abroad_since > came_back_on, true) THEN 'abroad'
             WHEN verdict IN ('户籍死亡', '空挂户', '双重户籍') AND NOT is_enrolled_since THEN 'verified_departed'
             WHEN verdict = '出国(境)' AND NOT is_enrolled_since AND coalesce(came_back_on <= verdict_on, true) THEN 'verified_departed'
             WHEN NOT is_live THEN 'no_longer_live'
             -- 2 dropout
             WHEN verdict = '确认失学' AND NOT is_enrolled_since AND NOT is_present_since THEN 'confirmed_never_enrolled'
             WHEN verdict = '确认辍学' AND NOT is_enrolled_since AND NOT is_present_since THEN 'confirmed_dropped_out'
             -- 3 special provision
             WHEN home_teaching_row IS NOT NULL OR disability_placement = '送教上门' OR verdict = '送教上门' THEN 'home_teaching'
             WHEN special_placement_code = '普通学校特教班就读' OR disability_placement = '特教班' THEN 'special_class'
             WHEN special_row IS NOT NULL OR disability_placement = '特教学校' OR verdict = '特教学校就读' THEN 'special_school'
             WHEN verdict = '随班就读' AND live_rows = 0 THEN 'inclusive_education'
             WHEN exemption_row IS NOT NULL THEN 'exempted'
             WHEN specialised_row IS NOT NULL THEN 'specialised_education'
             -- 4 completed
             WHEN graduated_row IS NOT NULL THEN 'graduated'
             WHEN senior_rows > 0 THEN 'senior_grade'
             WHEN verdict = '超龄离校' THEN 'over_age'
             -- 5 a live enrolment: on leave, enrolled or suspected
             WHEN live_rows > 0 AND leave_until IS NOT NULL AND NOT is_back_since_approval THEN 'leave_approved'
             WHEN live_rows > 0 AND verdict = '休学' AND verdict_until >= $today AND NOT is_back_since_verdict THEN 'leave_verified'
             WHEN live_rows > 0 AND live_rows = unknown_rows AND present_on IS NULL THEN 'registry_status_unknown'
             WHEN live_rows > unattended_rows + suspended_rows THEN 'live_enrolment'
             WHEN suspended_rows > 0 AND $approvals_never_sent THEN 'leave_in_registry'
             WHEN live_rows > 0 AND (verdict = '随班就读' OR verdict = '在校已有学籍' AND suspended_rows = 0) AND is_verified_since_doubt THEN 'live_enrolment'
             WHEN live_rows > 0 AND verdict IN ('省内就读无学籍', '省外就读无学籍') AND coalesce(verdict_until, verdict_year_end) >= $today
                  AND is_verified_since_doubt THEN 'verified_elsewhere'
             WHEN live_rows > 0 AND absent_to IS NOT NULL THEN 'absent'
             WHEN live_rows > 0 AND long_leave_from IS NOT NULL THEN 'long_leave'
             WHEN live_rows > 0 AND missed_headcount_on IS NOT NULL THEN 'not_in_headcount'
             WHEN live_rows > 0 AND leave_ended_on IS NOT NULL THEN 'leave_expired'
             WHEN live_rows > 0 THEN 'leave_not_approved'
             -- 6 a person decides
             WHEN candidates > 0 THEN 'candidates'
             WHEN dead_status = '11' THEN 'registry_says_dead'
             -- 7 deferred
             WHEN deferred_until IS NOT NULL THEN 'deferral_approved'
             WHEN verdict = '延缓入学' AND verdict_until >= $today THEN 'deferral_verified'
             WHEN verdict = '休学' AND verdict_until >= $today THEN 'leave_verified'
             -- 8 elsewhere
             WHEN elsewhere_on IS NOT NULL THEN 'elsewhere_evidence'
             WHEN verdict IN ('省内就读无学籍', '省外就读无学籍', '在校已有学籍') AND coalesce(verdict_until, verdict_year_end) >= $today THEN 'verified_elsewhere'
             -- 9 only dead records
             WHEN dead_status = '07' AND dead_grade = $primary_years THEN 'primary_graduate_not_in_junior'
             WHEN dead_status = '10' THEN 'transferred_out_not_arrived'
             WHEN dead_row IS NOT NULL THEN 'registry_says_left'
             -- 10 nothing found
             WHEN deferral_ended_on IS NOT NULL OR verdict = '延缓入学' THEN 'deferral_expired'
             ELSE 'no_record'
           END AS reason
    FROM facts c
) c
JOIN status.reasons r ON r.reason = c.reason
