-- Student records with the same name, birth date and sex under different numbers: one pupil enrolled twice, or two pupils.
SELECT a.row AS ref_a, b.row AS ref_b
FROM standard.registry_keys a
JOIN standard.registry_keys b
  ON b.folded = a.folded AND b.birth_date = a.birth_date AND b.sex = a.sex AND b.row > a.row
WHERE (a.id_key IS NULL OR b.id_key IS NULL OR a.id_key <> b.id_key)
  AND (a.student_number IS NULL OR b.student_number IS NULL OR a.student_number <> b.student_number)
