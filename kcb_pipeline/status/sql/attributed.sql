-- The one person each row of evidence speaks of: the best rank decides; two persons at the best rank and nobody is named.
SELECT a.source, a.row, a.person, a.rank
FROM status.attribution_accepted a
JOIN (SELECT source, row, min(rank) AS rank FROM status.attribution_accepted GROUP BY source, row) b
  ON b.source = a.source AND b.row = a.row AND b.rank = a.rank
JOIN (SELECT source, row, rank FROM status.attribution_accepted GROUP BY source, row, rank HAVING count(*) = 1) u
  ON u.source = a.source AND u.row = a.row AND u.rank = a.rank
JOIN (SELECT person FROM standard.persons UNION ALL SELECT person FROM standard.gone_children) p ON p.person = a.person
