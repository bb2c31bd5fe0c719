-- Comparison ①, 户籍 × 学籍, spread out: every registry record of every linked person, earlier and second records included.
SELECT m.person, m.method, m.probability, k.row AS registry_row, k.is_live, coalesce(m.registry_row = k.row, false) AS is_primary,
       r.registry_status, r.grade, r.status_date, r.enrolled_month, r.student_number, r.school_code, r.school_name,
       r.school_division_code, r.attendance_mode, r.special_placement, r.left_behind, r.migrant, r.disability_type
FROM (
    SELECT person, student, method, probability, registry_row FROM matched.links WHERE decision = 'linked'
    UNION ALL
    SELECT person, student, 'probabilistic', probability, NULL FROM matched.further_records
) m
JOIN (
    SELECT k.row, k.is_live, coalesce(g.student, k.row) AS student
    FROM standard.registry_keys k LEFT JOIN standard.student_groups g ON g.row = k.row
) k ON k.student = m.student
JOIN landed.student_registry r ON r.row = k.row
