-- What the optional sources say of persons, in one form: kind, code, from, to, and the row that says it.
SELECT a.person, 'struck_off' AS kind, d.source, d.kind AS code, d.occurred_on AS from_date, NULL::DATE AS to_date, d.row AS source_row
FROM (SELECT 'deregistrations' AS source, * FROM landed.deregistrations) d
JOIN status.attributed a ON a.source = 'deregistrations' AND a.row = d.row
JOIN status.standing_strikings_off t ON t.row = d.row
LEFT JOIN (
    -- What strikes off a number (重户, or another number is kept) strikes off a child where that is its own, it bears no other one, and the kept
    -- one is nobody's here
    SELECT e.row, s.person
    FROM standard.evidence_keys e
    JOIN (SELECT person, id_key FROM standard.persons UNION ALL SELECT person, id_key FROM standard.gone_children) s ON s.id_key = e.id_key
    JOIN landed.deregistrations r ON r.row = e.row
    LEFT JOIN landed.population k ON k.id_number = r.kept_id_number
    LEFT JOIN (
        SELECT DISTINCT g.person, o.id_key
        FROM standard.person_groups g JOIN standard.population_keys o ON o.ref = g.ref AND o.is_live
    ) o ON o.person = s.person AND o.id_key <> e.id_key
    WHERE e.source = 'deregistrations' AND k.row IS NULL AND o.person IS NULL
) w ON w.row = d.row AND w.person = a.person
WHERE d.kind IS NOT NULL
  AND (d.kind <> '重户' AND d.row NOT IN (SELECT row FROM standard.numbers_struck_off) OR w.person IS NOT NULL)
UNION ALL
SELECT person, CASE direction WHEN '1' THEN 'abroad' ELSE 'come_back' END, 'exit_entry', destination, crossed_on, NULL, row
FROM (
    SELECT a.person, e.destination, e.crossed_on, e.direction, e.row,
           row_number() OVER (PARTITION BY a.person ORDER BY e.crossed_on DESC, e.direction DESC, e.destination NULLS LAST, e.row) AS nth
    FROM landed.exit_entry e JOIN status.attributed a ON a.source = 'exit_entry' AND a.row = e.row
    WHERE e.crossed_on IS NOT NULL AND e.direction IS NOT NULL
) crossings
WHERE nth = 1
UNION ALL
SELECT a.person, 'approval', 'approvals', v.kind, v.from_date, v.to_date, v.row
FROM landed.approvals v JOIN status.attributed a ON a.source = 'approvals' AND a.row = v.row
WHERE v.kind IS NOT NULL
UNION ALL
SELECT a.person, 'elsewhere', 'elsewhere', v.division_code, v.confirmed_on, y.school_year_end, v.row
FROM landed.elsewhere v
JOIN status.attributed a ON a.source = 'elsewhere' AND a.row = v.row
LEFT JOIN status.school_years y ON v.confirmed_on BETWEEN y.school_year_start AND y.school_year_end
WHERE v.confirmed_on IS NOT NULL
UNION ALL
SELECT a.person, 'programme', 'support_programmes', v.programme, v.entered_on, v.left_on, v.row
FROM landed.support_programmes v JOIN status.attributed a ON a.source = 'support_programmes' AND a.row = v.row
WHERE v.programme IS NOT NULL
UNION ALL
SELECT a.person, 'disability', 'disability_register', v.placement, NULL, NULL, v.row
FROM landed.disability_register v JOIN status.attributed a ON a.source = 'disability_register' AND a.row = v.row
UNION ALL
SELECT a.person, 'poverty', 'poverty_register', v.household_kind, NULL, NULL, v.row
FROM landed.poverty_register v JOIN status.attributed a ON a.source = 'poverty_register' AND a.row = v.row
UNION ALL
SELECT t.person, 'present', 'in_school', t.record_code, t.present_on, NULL, t.present_row
FROM status.attendance t JOIN status.sources_tonight c ON c.source = 'in_school' WHERE t.present_on IS NOT NULL
UNION ALL
SELECT t.person, 'not_in_headcount', 'in_school', t.record_code, t.counted_on, NULL, NULL
FROM status.attendance t JOIN status.sources_tonight c ON c.source = 'in_school' WHERE t.is_not_in_headcount
UNION ALL
SELECT t.person, 'absent', 'absences', t.record_code, t.absent_from, t.absent_to, t.absent_row
FROM status.attendance t JOIN status.sources_tonight c ON c.source = 'absences' WHERE t.is_absent
UNION ALL
-- and a run of missed days that is no absence yet, or was undone: a school that sends only its new days may go on with it
SELECT t.person, 'days_missed', 'absences', t.record_code, t.absent_from, t.absent_to, t.absent_row
FROM status.attendance t JOIN status.sources_tonight c ON c.source = 'absences' WHERE t.missed_to IS NOT NULL AND NOT t.is_absent
UNION ALL
SELECT t.person, 'long_leave', 'absences', t.record_code, t.leave_from, t.leave_to, t.leave_row
FROM status.attendance t JOIN status.sources_tonight c ON c.source = 'absences' WHERE t.is_on_long_leave
UNION ALL
-- of which day the school's last word of that leave is: what shows the pupil has to be later, on the nights on which no such report comes too
SELECT t.person, 'leave_reported', 'absences', t.record_code, t.leave_said_on, NULL, NULL
FROM status.attendance t JOIN status.sources_tonight c ON c.source = 'absences' WHERE t.is_on_long_leave
UNION ALL
-- and by which school it was said, where that is not the registry's: its later reports undo it
SELECT t.person, 'reported_by', 'absences', t.reported_by, coalesce(t.absent_to, t.leave_said_on), NULL, NULL
FROM status.attendance t JOIN status.sources_tonight c ON c.source = 'absences'
WHERE (t.missed_to IS NOT NULL OR t.is_on_long_leave) AND t.reported_by <> coalesce(t.school_code, '')
UNION ALL
-- who lives here by 居住证, and in which township: counted by it, and visited there, though residents do not come
SELECT h.person, 'residence', 'residents', h.township_name, NULL, NULL, h.row
FROM (
    SELECT c.person, min(r.township_name) AS township_name, min(r.row) AS row
    FROM landed.residents r
    JOIN standard.population_keys k ON k.ref = 2 * r.row + 1 AND k.is_live
    LEFT JOIN standard.person_groups g ON g.ref = k.ref
    JOIN standard.children c ON c.person = coalesce(g.person, k.ref)
    GROUP BY c.person
) h
JOIN status.sources_tonight c ON c.source = 'residents'
