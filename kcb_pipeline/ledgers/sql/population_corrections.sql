-- 更正建议: what public security is asked to look at in its own register, for children of school age: what a verification found, two
-- registrations of one person, a number that is none or another than the pupil's own, a birth date or sex that others contradict.
WITH sides AS (
    SELECT 'registered' AS population_type, row, id_number, id_valid, name, sex, birth_date, division_code FROM landed.population
    UNION ALL
    SELECT 'resident', row, id_number, id_valid, name, sex, birth_date, division_code FROM landed.residents
),
own AS (
    SELECT c.child_id, c.registry_row, c.match_method, s.population_type, s.row, s.id_number, s.id_valid, s.name, s.sex, s.birth_date,
           concat(substr(s.id_number, 7, 4), '-', substr(s.id_number, 11, 2), '-', substr(s.id_number, 13, 2)) AS number_birth,
           CASE WHEN s.id_valid THEN CASE WHEN cast(substr(s.id_number, 17, 1) AS INTEGER) % 2 = 1 THEN '1' ELSE '2' END END AS number_sex
    FROM draft.children c
    JOIN sides s ON s.population_type = c.population_type AND s.row = c.population_row
    WHERE c.status <> 'departed'
),
linked AS (
    SELECT o.*, r.birth_date AS pupil_birth, r.sex AS pupil_sex,
           -- a number of another birth date than both say is a guardian's or a sibling's, typed at school: no finding for the police
           CASE WHEN r.id_valid AND coalesce(r.id_type, '1') = '1'
                 AND concat(substr(r.id_number, 7, 4), '-', substr(r.id_number, 11, 2), '-', substr(r.id_number, 13, 2))
                     IN (cast(o.birth_date AS VARCHAR), cast(r.birth_date AS VARCHAR)) THEN r.id_number END AS pupil_number
    FROM own o
    LEFT JOIN landed.student_registry r ON r.row = o.registry_row
),
verified AS (
    SELECT d.child_id, d.result, d.verified_on, d.verified_by, d.evidence,
           row_number() OVER (PARTITION BY d.child_id ORDER BY d.verified_on DESC, d.decision DESC) AS nth
    FROM draft.decisions d
    JOIN draft.corrected_results k ON k.result = d.result
)
SELECT v.child_id, 'verified' AS kind, 1 AS nth, v.result AS item, o.id_number AS recorded, cast(NULL AS VARCHAR) AS other,
       concat('核查结果：', v.result, '（核查日期 ', cast(v.verified_on AS VARCHAR), CASE WHEN v.verified_by IS NULL THEN '' ELSE concat('，核查人 ', v.verified_by) END, '）',
              CASE WHEN v.evidence IS NULL THEN '' ELSE concat('；佐证：', v.evidence) END) AS evidence
FROM verified v
JOIN own o ON o.child_id = v.child_id
WHERE v.nth = 1
UNION ALL
SELECT o.child_id, 'duplicate_person', cast(row_number() OVER (PARTITION BY o.child_id ORDER BY s.id_number, s.division_code, s.population_type, s.name, s.birth_date, s.row)
                               AS INTEGER),
       '双重户籍', o.id_number, s.id_number,
       concat('另有一条有效的', CASE WHEN s.population_type = 'resident' THEN '流动人口' ELSE '户籍' END, '记录：', s.name, '，',
              coalesce(cast(s.birth_date AS VARCHAR), '出生日期不详'), '，行政区划 ', coalesce(s.division_code, '不详'),
              CASE WHEN d.reason = 'same_id_number' THEN '；证件号码相同' ELSE '；姓名、出生日期和监护人相同' END)
FROM draft.duplicate_persons d
JOIN own o ON o.child_id = d.child_id
JOIN sides s ON s.population_type = d.duplicate_population_type AND s.row = d.duplicate_population_row
WHERE d.population_type = d.duplicate_population_type OR s.id_number IS NULL OR o.id_number IS NULL OR s.id_number <> o.id_number
UNION ALL
SELECT child_id, CASE WHEN id_number IS NULL THEN 'id_number_missing' WHEN id_valid THEN 'id_number_differs' ELSE 'id_number_invalid' END, 1,
       '公民身份号码', id_number, pupil_number,
       concat(CASE WHEN id_number IS NULL THEN '人口数据中没有证件号码' WHEN id_valid THEN '证件号码与学籍登记的有效号码不同' ELSE '证件号码校验不通过' END,
              CASE WHEN pupil_number IS NULL THEN '' WHEN id_valid THEN '，两者必有一误，请核对' ELSE '；学籍登记的号码有效，供核对' END)
FROM linked
WHERE (id_number IS NOT NULL AND NOT id_valid) OR (pupil_number IS NOT NULL AND (id_number IS NULL OR id_number <> pupil_number))
UNION ALL
SELECT child_id, 'number_birth_mismatch', 1, '出生日期', cast(birth_date AS VARCHAR), number_birth, '登记的出生日期与本人证件号码中的出生日期不同'
FROM own
WHERE id_valid AND birth_date IS NOT NULL AND cast(birth_date AS VARCHAR) <> number_birth
UNION ALL
SELECT child_id, 'number_sex_mismatch', 1, '性别', sex, number_sex, '登记的性别与本人证件号码所示性别不同'
FROM own
WHERE id_valid AND sex IN ('1', '2') AND sex <> number_sex
UNION ALL
SELECT child_id, 'birth_date_differs', 1, '出生日期', cast(birth_date AS VARCHAR), cast(pupil_birth AS VARCHAR),
       '姓名、监护人等信息认定为同一人，但学籍登记的出生日期不同'
FROM linked
WHERE match_method NOT LIKE 'id_number%' AND birth_date <> pupil_birth
UNION ALL
SELECT child_id, 'sex_differs', 1, '性别', sex, pupil_sex, '姓名、监护人等信息认定为同一人，但学籍登记的性别不同'
FROM linked
WHERE match_method NOT LIKE 'id_number%' AND sex IN ('1', '2') AND pupil_sex IN ('1', '2') AND sex <> pupil_sex
