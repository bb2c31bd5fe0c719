-- 有学籍无户籍: pupils of the registry that are nobody's on the population side, each stood for by its record.
SELECT s.row AS registry_row, r.student_number, r.school_code, cast(r.grade AS INTEGER) AS grade, r.name, r.sex, r.birth_date, r.id_number,
       r.id_valid, r.school_name, r.guardian1_name AS guardian_name, r.guardian1_phone AS guardian_phone, s.is_live,
       CASE WHEN v.student IS NOT NULL THEN 'in_review'
            WHEN r.household_division_code IS NOT NULL AND h.division_code IS NULL THEN 'hukou_elsewhere'
            WHEN NOT s.is_live THEN 'left_school'
            ELSE 'not_found_in_population' END AS reason
FROM standard.students s
JOIN landed.student_registry r ON r.row = s.row
LEFT JOIN (SELECT student FROM matched.links WHERE decision = 'linked' UNION SELECT student FROM matched.further_records) m ON m.student = s.student
LEFT JOIN (SELECT DISTINCT student FROM matched.links WHERE decision = 'review') v ON v.student = s.student
LEFT JOIN (SELECT DISTINCT division_code FROM landed.population) h ON h.division_code = r.household_division_code
WHERE m.student IS NULL
