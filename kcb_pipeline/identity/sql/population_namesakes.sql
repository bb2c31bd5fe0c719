-- Population-side rows with the same name, birth date and sex but not the same number, one of them live at least: one child
-- registered twice or under a number that was corrected, or two children. An earlier row of one household needs no birth date: it may be
-- what was corrected.
SELECT a.ref AS ref_a, b.ref AS ref_b
FROM standard.population_keys a
JOIN standard.population_keys b
  ON b.folded = a.folded AND b.birth_date = a.birth_date AND b.sex = a.sex AND b.ref > a.ref
WHERE (a.is_live OR b.is_live) AND (a.id_key IS NULL OR b.id_key IS NULL OR a.id_key <> b.id_key)
  AND a.birth_date >= $born_from AND b.birth_date >= $born_from
UNION
SELECT least(a.ref, b.ref), greatest(a.ref, b.ref)
FROM standard.population_keys a
JOIN landed.population x ON 2 * x.row = a.ref
JOIN landed.population y ON y.household_id = x.household_id
JOIN standard.population_keys b ON b.ref = 2 * y.row AND b.folded = a.folded AND b.sex = a.sex
WHERE NOT a.is_live AND b.is_live AND (a.id_key IS NULL OR b.id_key IS NULL OR a.id_key <> b.id_key)
  AND a.birth_date >= $born_from AND b.birth_date >= $born_from
  -- A number that a live row bears says whose earlier row it is: not a sister's who was given the name since.
  AND (a.id_key IS NULL OR a.id_key NOT IN (SELECT id_key FROM standard.population_keys WHERE is_live AND id_key IS NOT NULL))
