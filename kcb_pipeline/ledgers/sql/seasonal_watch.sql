-- 季节性流失: in the harvest months, pupils who have missed school days for anything but illness since the season began.
-- A watch list and no evidence: nobody's status rests on it. Where no absences came tonight, the list of before.
SELECT c.child_id, p.school_code, count(DISTINCT a.absent_on) AS missed_days, min(a.absent_on) AS first_missed_on, max(a.absent_on) AS last_missed_on,
       max(a.leave_to) AS leave_to
FROM status.missed_days a
JOIN status.school_days d ON d.day = a.absent_on
JOIN status.pupil_rows p ON p.registry_row = a.registry_row AND p.is_live
JOIN standard.children c ON c.person = p.person
WHERE a.absent_on BETWEEN $season_from AND $today AND coalesce(a.kind, '') <> '病假'
GROUP BY c.child_id, p.school_code
HAVING count(DISTINCT a.absent_on) >= $harvest_days
UNION ALL
SELECT child_id, school_code, missed_days, first_missed_on, last_missed_on, leave_to FROM previous_seasonal_watch
WHERE 'absences' NOT IN (SELECT source FROM status.sources_tonight) AND last_missed_on >= $season_from
