-- The live records under a student number that records of several linked persons bear: what is said under it is told by the name, where one of
-- those persons bears it, or else by the school, where one of them is there.
WITH shared AS (
    SELECT p.student_number, p.person, p.registry_row, p.school_code, r.name
    FROM status.pupil_rows p
    JOIN (
        SELECT student_number FROM status.pupil_rows WHERE is_live GROUP BY student_number HAVING min(person) < max(person)
    ) m ON m.student_number = p.student_number
    JOIN landed.student_registry r ON r.row = p.registry_row
    WHERE p.is_live
)
SELECT s.student_number, s.registry_row, s.name, s.school_code, coalesce(n.persons = 1, false) AS is_told_by_name,
       coalesce(c.persons = 1, false) AS is_told_by_school
FROM shared s
LEFT JOIN (SELECT student_number, name, count(DISTINCT person) AS persons FROM shared GROUP BY student_number, name) n
  ON n.student_number = s.student_number AND n.name = s.name
LEFT JOIN (SELECT student_number, school_code, count(DISTINCT person) AS persons FROM shared GROUP BY student_number, school_code) c
  ON c.student_number = s.student_number AND c.school_code = s.school_code
