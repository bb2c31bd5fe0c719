-- 双重户籍: two live rows of one child of school age on the population side.
SELECT c.child_id, d.population_type, d.population_row, d.duplicate_population_type, d.duplicate_population_row, d.reason,
       l.id_number AS duplicate_id_number
FROM standard.duplicate_persons d
JOIN standard.children c ON c.person = d.person
JOIN status.child_statuses s ON s.child_id = c.child_id
LEFT JOIN (
    SELECT 'registered' AS population_type, row, id_number FROM landed.population
    UNION ALL
    SELECT 'resident', row, id_number FROM landed.residents
) l ON l.population_type = d.duplicate_population_type AND l.row = d.duplicate_population_row
WHERE d.population_row > 0 AND d.duplicate_population_row > 0
