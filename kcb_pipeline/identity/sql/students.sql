-- The pupils of the registry, one row each: a record on its own, or of a group's records the one that best speaks for the pupil,
-- live before dead, latest change of status, latest enrolment, with a number before without, then by what stands in them: a total order.
SELECT r.student, k.row, k.is_live, k.folded, k.pinyin, k.name_key, k.sex, k.birth_date,
       CASE WHEN s.row IS NULL THEN k.id_key END AS id_key,
       CASE WHEN s.row IS NULL OR k.second_key <> k.id_key THEN k.second_key END AS second_key,
       s.row IS NOT NULL AS number_is_shared
FROM (
    SELECT k.row AS student, k.row
    FROM standard.registry_keys k
    WHERE k.row NOT IN (SELECT row FROM standard.student_groups)
    UNION ALL
    SELECT student, row
    FROM (
        SELECT g.student, g.row,
               row_number() OVER (
                   PARTITION BY g.student
                   ORDER BY k.is_live DESC, r.status_date DESC NULLS LAST, r.enrolled_month DESC NULLS LAST,
                            k.id_key IS NULL, o.place
               ) AS nth
        FROM standard.student_groups g
        JOIN standard.registry_keys k ON k.row = g.row
        JOIN landed.student_registry r ON r.row = k.row
        JOIN standard.student_group_order o ON o.row = k.row
    ) ranked
    WHERE nth = 1
) r
JOIN standard.registry_keys k ON k.row = r.row
LEFT JOIN standard.shared_student_numbers s ON s.row = k.row
