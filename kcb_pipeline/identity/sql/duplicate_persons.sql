-- Two live rows of one person (双重户籍): the row that is kept and each other live row.
SELECT p.person, p.population_type, p.row AS population_row, k.population_type AS duplicate_population_type,
       k.row AS duplicate_population_row,
       CASE WHEN k.id_key = p.id_key THEN 'same_id_number'
            WHEN k.id_key IN (SELECT former_key FROM standard.former_numbers) OR p.id_key IN (SELECT former_key FROM standard.former_numbers)
            THEN 'struck_off_as_duplicate'
            ELSE 'same_name_birth_and_guardian' END AS reason
FROM standard.person_groups g
JOIN standard.population_keys k ON k.ref = g.ref
JOIN standard.persons p ON p.person = g.person
WHERE k.is_live AND p.is_live AND k.ref <> p.ref
