-- Student records that share a student number or a valid ID number with another record.
SELECT 'student_number' AS key_kind, k.student_number AS key_text, k.row, k.name_key, k.former_folded, k.folded, k.pinyin, k.birth_date, k.sex,
       k.is_live, s.status_date
FROM standard.registry_keys k
JOIN (SELECT student_number FROM standard.registry_keys WHERE student_number IS NOT NULL
      GROUP BY student_number HAVING count(*) > 1) g ON g.student_number = k.student_number
JOIN landed.student_registry s ON s.row = k.row
UNION ALL
SELECT 'id_number', cast(k.id_key AS STRING), k.row, k.name_key, k.former_folded, k.folded, k.pinyin, k.birth_date, k.sex, k.is_live, s.status_date
FROM standard.registry_keys k
JOIN (SELECT id_key FROM standard.registry_keys WHERE id_key IS NOT NULL GROUP BY id_key HAVING count(*) > 1) g ON g.id_key = k.id_key
JOIN landed.student_registry s ON s.row = k.row
