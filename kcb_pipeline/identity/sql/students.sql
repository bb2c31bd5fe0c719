-- The pupils of the registry: one row each, the record that best speaks for the pupil of every group of records.
-- Live before dead, latest change of status, latest enrolment, lowest row.
SELECT ranked.student, ranked.row, ranked.is_live, ranked.folded, ranked.pinyin, ranked.name_key, ranked.sex, ranked.birth_date,
       CASE WHEN s.row IS NULL THEN ranked.id_key END AS id_key,
       CASE WHEN s.row IS NULL OR ranked.second_key <> ranked.id_key THEN ranked.second_key END AS second_key,
       s.row IS NOT NULL AS number_is_shared
FROM (
    SELECT k.*, coalesce(g.student, k.row) AS student,
           row_number() OVER (
               PARTITION BY coalesce(g.student, k.row)
               ORDER BY k.is_live DESC, r.status_date DESC NULLS LAST, r.enrolled_month DESC NULLS LAST, k.row
           ) AS nth
    FROM standard.registry_keys k
    JOIN landed.student_registry r ON r.row = k.row
    LEFT JOIN standard.student_groups g ON g.row = k.row
) ranked
LEFT JOIN standard.shared_student_numbers s ON s.row = ranked.row
WHERE ranked.nth = 1
