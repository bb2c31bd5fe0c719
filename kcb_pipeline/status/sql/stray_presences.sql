-- Pupils counted under a number that stands in no registry record (one before a correction), or who have none there: told by the number that
-- they bore before, or by school and name, where one pupil counted so and one live record not counted by its number bear that name in that school.
-- The last day, and the lowest row that says so.
SELECT registry_row, counted_on AS present_on, row AS present_row
FROM (
    SELECT registry_row, counted_on, row, row_number() OVER (PARTITION BY registry_row ORDER BY counted_on DESC, row) AS nth
    FROM (
        SELECT r.registry_row, c.counted_on, c.row
        FROM (
            SELECT c.school_code, c.name, min(c.student_number) AS student_number
            FROM landed.in_school c
            LEFT JOIN (SELECT DISTINCT student_number FROM landed.student_registry) k ON k.student_number = c.student_number
            WHERE k.student_number IS NULL AND c.school_code IS NOT NULL AND c.name IS NOT NULL
            GROUP BY c.school_code, c.name
            HAVING count(DISTINCT c.student_number) = 1
        ) i
        JOIN landed.in_school c ON c.school_code = i.school_code AND c.name = i.name AND c.student_number = i.student_number AND c.present
        JOIN (
            SELECT r.school_code, r.name, min(r.row) AS registry_row
            FROM landed.student_registry r
            JOIN standard.registry_keys k ON k.row = r.row AND k.is_live
            LEFT JOIN (SELECT DISTINCT student_number FROM landed.in_school) c ON c.student_number = r.student_number
            WHERE c.student_number IS NULL
            GROUP BY r.school_code, r.name
            HAVING count(*) = 1
        ) r ON r.school_code = i.school_code AND r.name = i.name
        UNION ALL
        SELECT n.registry_row, i.counted_on, i.row
        FROM status.renumbered n JOIN landed.in_school i ON i.student_number = n.student_number
        WHERE i.present
    ) strays
) dated
WHERE nth = 1
