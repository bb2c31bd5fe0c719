-- 适龄儿童台账: every child of school age with what the population side, the registry and the evidence say. A child that has left
-- the population side keeps what the version before said of it.
SELECT s.child_id,
       CASE WHEN l.ref IS NULL THEN f.id_number ELSE l.id_number END AS id_number,
       CASE WHEN l.ref IS NULL THEN f.name ELSE l.name END AS name,
       s.sex, s.birth_date,
       CASE WHEN l.ref IS NULL THEN f.ethnicity ELSE l.ethnicity END AS ethnicity,
       cast(year($cutoff) - year(s.birth_date)
            - CASE WHEN month($cutoff) * 100 + day($cutoff) < month(s.birth_date) * 100 + day(s.birth_date) THEN 1 ELSE 0 END AS INTEGER) AS age,
       CASE WHEN l.ref IS NULL THEN f.division_code ELSE l.division_code END AS division_code,
       CASE WHEN l.ref IS NULL THEN f.township_code ELSE l.township_code END AS township_code,
       CASE WHEN l.ref IS NULL THEN f.village_code ELSE l.village_code END AS village_code,
       CASE WHEN l.ref IS NULL THEN f.township_name ELSE l.township_name END AS township_name,
       CASE WHEN l.ref IS NULL THEN f.household_id ELSE l.household_id END AS household_id,
       s.population_type,
       CASE WHEN l.ref IS NULL THEN f.guardian_name ELSE coalesce(l.guardian_name, r.guardian1_name) END AS guardian_name,
       CASE WHEN l.ref IS NULL THEN f.guardian_phone ELSE coalesce(l.guardian_phone, r.guardian1_phone) END AS guardian_phone,
       cast(least(greatest(year($cutoff) - year(s.birth_date)
            - CASE WHEN month($cutoff) * 100 + day($cutoff) < month(s.birth_date) * 100 + day(s.birth_date) THEN 1 ELSE 0 END
            - $entry_age + 1, 1), $compulsory_years) AS INTEGER) AS expected_grade,
       s.status, s.reason AS status_reason,
       CASE WHEN f.status = s.status THEN f.status_since ELSE $today END AS status_since,
       r.student_number, r.school_code, r.school_name, r.school_division_code, cast(r.grade AS INTEGER) AS grade,
       CASE WHEN r.row IS NOT NULL THEN s.method END AS match_method,
       CASE WHEN r.row IS NOT NULL THEN round(s.probability, 4) END AS match_probability,
       coalesce(r.left_behind IN ('1', '2'), false) AS left_behind,
       coalesce(r.migrant, false) AS migrant,
       -- forms that have a 残疾类型 for everybody say 无残疾 of most
       coalesce(s.is_disabled = 1, false) OR coalesce(r.disability_type NOT IN ('无残疾', '非残疾', '否'), false) AS disabled,
       coalesce(s.is_poor = 1, false) AS poverty_household,
       CASE WHEN l.row > 0 THEN l.row END AS population_row,
       r.row AS registry_row
FROM status.child_statuses s
LEFT JOIN (
    SELECT 2 * row AS ref, row, id_number, name, ethnicity, division_code, township_code, village_code, township_name, household_id,
           coalesce(guardian_name, mother_name, father_name) AS guardian_name, guardian_phone
    FROM landed.population
    UNION ALL
    SELECT 2 * row + 1, row, id_number, name, ethnicity, division_code, township_code, NULL, township_name, NULL, guardian_name, guardian_phone
    FROM landed.residents
) l ON l.ref = 2 * s.population_row + CASE WHEN s.population_type = 'resident' THEN 1 ELSE 0 END
LEFT JOIN landed.student_registry r ON r.row = s.registry_row
LEFT JOIN previous_child_facts f ON f.child_id = s.child_id
