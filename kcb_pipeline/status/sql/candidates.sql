-- Children that may have an enrolment nobody could decide on: live records in doubt that are nobody else's.
SELECT l.person, count(*) AS candidates
FROM matched.links l
JOIN standard.students s ON s.student = l.student
WHERE l.decision = 'review' AND s.is_live AND s.student NOT IN (SELECT student FROM matched.further_records)
GROUP BY l.person
