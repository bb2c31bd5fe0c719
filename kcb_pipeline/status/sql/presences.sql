-- Every pupil's last day counted as present, wherever.
SELECT student_number,
       max(CASE WHEN present THEN counted_on END) AS present_on,
       max(CASE WHEN present THEN row END) AS present_row
FROM landed.in_school
GROUP BY student_number
