-- One row a linked person: the record that is shown, what the live records say of attendance, and the latest dead record.
-- With two live enrolments one attended is enough, and the attended one is shown. Of dead records of one day the latest is that whose rule comes
-- first in the contract (extracts.md, Which status).
SELECT r.person, r.method, r.probability, r.registry_row, r.registry_status, r.grade, r.status_date, r.student_number, r.school_code,
       r.school_name, r.school_division_code, r.left_behind, r.migrant, r.disability_type, r.attendance_mode, r.special_placement, r.is_live,
       n.live_rows, n.senior_rows, n.unattended_rows, n.suspended_rows, n.suspended_on, n.unknown_rows, n.graduated_row, n.home_teaching_row, n.special_row,
       n.special_placement AS special_placement_code, n.resumed_rows, n.resumed_on, n.latest_live_change, s.present_on, s.present_row,
       d.registry_row AS dead_row, d.registry_status AS dead_status, d.grade AS dead_grade, d.status_date AS dead_on
FROM status.pupil_rows r
JOIN (
    SELECT p.person, count(*) AS records,
           sum(CASE WHEN p.is_live THEN 1 ELSE 0 END) AS live_rows,
           sum(CASE WHEN p.is_live AND p.grade >= 10 THEN 1 ELSE 0 END) AS senior_rows,
           sum(CASE WHEN p.is_live AND (t.is_absent OR t.is_on_long_leave OR t.is_not_in_headcount) THEN 1 ELSE 0 END) AS unattended_rows,
           sum(CASE WHEN p.is_live AND p.registry_status = '02'
                         AND (t.present_on IS NULL OR t.present_on <= coalesce(p.status_date, t.present_on)) THEN 1 ELSE 0 END) AS suspended_rows,
           max(CASE WHEN p.is_live AND p.registry_status = '02' THEN p.status_date END) AS suspended_on,
           sum(CASE WHEN p.is_live AND p.registry_status IS NULL THEN 1 ELSE 0 END) AS unknown_rows,
           sum(CASE WHEN p.registry_status = '05' THEN 1 ELSE 0 END) AS resumed_rows,
           max(CASE WHEN p.registry_status = '05' THEN p.status_date END) AS resumed_on,
           max(CASE WHEN p.registry_status IN ('07', '08') AND p.grade >= 9 THEN p.registry_row END) AS graduated_row,
           max(CASE WHEN p.is_live AND (p.attendance_mode = '送教上门' OR p.special_placement = '送教上门') THEN p.registry_row END) AS home_teaching_row,
           max(CASE WHEN p.is_live AND p.special_placement NOT IN ('普通学校随班就读', '送教上门') THEN p.registry_row END) AS special_row,
           max(CASE WHEN p.is_live AND p.special_placement NOT IN ('普通学校随班就读', '送教上门') THEN p.special_placement END) AS special_placement,
           -- the day of 停学 is none on which a pupil came back
           max(CASE WHEN p.is_live AND p.registry_status = '04' THEN p.enrolled_month
                    WHEN p.is_live THEN greatest(p.status_date, p.enrolled_month) END) AS latest_live_change
    FROM status.pupil_rows p LEFT JOIN status.attendance t ON t.registry_row = p.registry_row AND t.person = p.person
    GROUP BY p.person
) n ON n.person = r.person
LEFT JOIN (
    -- The last day on which one of them was seen at school, and the row that says so.
    SELECT person, present_on, present_row,
           row_number() OVER (PARTITION BY person ORDER BY present_on DESC, present_row NULLS LAST) AS nth
    FROM status.attendance WHERE present_on IS NOT NULL
) s ON s.person = r.person AND s.nth = 1
LEFT JOIN (
    -- Of several records of one person the one that is shown.
    SELECT p.person, p.registry_row,
           row_number() OVER (
               PARTITION BY p.person
               ORDER BY p.is_live DESC,
                        CASE WHEN t.is_absent OR t.is_on_long_leave OR t.is_not_in_headcount OR p.registry_status = '02' THEN 1 ELSE 0 END,
                        p.is_primary DESC, p.status_date DESC NULLS LAST, p.student_number NULLS LAST, p.school_code NULLS LAST,
                        p.grade NULLS LAST, p.registry_row
           ) AS nth
    FROM status.pupil_rows p
    LEFT JOIN status.attendance t ON t.registry_row = p.registry_row AND t.person = p.person
    WHERE p.person IN (SELECT person FROM status.pupil_rows GROUP BY person HAVING count(*) > 1)
) c ON c.person = r.person AND c.nth = 1
LEFT JOIN (
    SELECT person, registry_row, registry_status, grade, status_date,
           row_number() OVER (
               PARTITION BY person
               ORDER BY status_date DESC NULLS LAST,
                        CASE registry_status WHEN '13' THEN 1 WHEN '出国' THEN 1 WHEN '11' THEN 2 WHEN '07' THEN 3 WHEN '10' THEN 4 ELSE 5 END,
                        registry_status, grade NULLS LAST, student_number NULLS LAST, school_code NULLS LAST,
                        registry_row
           ) AS nth
    FROM status.pupil_rows WHERE NOT is_live
) d ON d.person = r.person AND d.nth = 1
WHERE n.records = 1 OR r.registry_row = c.registry_row
