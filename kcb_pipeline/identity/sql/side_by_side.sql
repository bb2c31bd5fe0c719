-- For pairs of student records that may be one pupil under two names: live rows of two different persons of the population side who were born
-- on that day and whose names sound like those.
SELECT w.pair, a.ref AS ref_a, b.ref AS ref_b, coalesce(x.household_id = y.household_id, false) AS same_household
FROM wanted w
JOIN standard.population_keys a ON a.pinyin = w.pinyin_a AND a.birth_date = w.birth_date AND a.is_live
JOIN standard.population_keys b ON b.pinyin = w.pinyin_b AND b.birth_date = w.birth_date AND b.is_live
LEFT JOIN standard.person_groups g ON g.ref = a.ref
LEFT JOIN standard.person_groups h ON h.ref = b.ref
LEFT JOIN landed.population x ON 2 * x.row = a.ref
LEFT JOIN landed.population y ON 2 * y.row = b.ref
WHERE coalesce(g.person, a.ref) <> coalesce(h.person, b.ref)
