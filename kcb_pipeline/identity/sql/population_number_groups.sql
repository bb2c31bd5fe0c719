-- Population-side rows that share a valid ID number with another row.
SELECT k.id_key, k.ref, k.population_type, k.name_key, k.former_folded, k.folded, k.birth_date, k.sex, k.is_live, u.updated_at, u.household_id
FROM standard.population_keys k
JOIN (SELECT id_key FROM standard.population_keys WHERE id_key IS NOT NULL GROUP BY id_key HAVING count(*) > 1) g
  ON g.id_key = k.id_key
LEFT JOIN (SELECT 2 * row AS ref, updated_at, household_id FROM landed.population) u ON u.ref = k.ref
