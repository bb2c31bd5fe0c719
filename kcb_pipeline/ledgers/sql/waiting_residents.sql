-- Residents who are of school age from the next 1 September on, so that they are counted then though residents do not come (extracts.md, Evidence
-- lasts). Of the younger ones nothing is kept: a list a year old will have come again.
SELECT sha256(concat_ws(chr(31), coalesce(id_number, ''), coalesce(name, ''), coalesce(sex, ''), cast(birth_date AS VARCHAR), coalesce(ethnicity, ''),
                        coalesce(household_division_code, ''), coalesce(division_code, ''), coalesce(township_code, ''),
                        coalesce(township_name, ''), coalesce(guardian_name, ''), coalesce(guardian_phone, ''))) AS waiting, *
FROM (
    SELECT DISTINCT r.id_number, r.name, p.sex, p.birth_date, r.ethnicity, r.household_division_code, r.division_code, r.township_code, r.township_name,
           r.guardian_name, r.guardian_phone
    FROM standard.persons p
    JOIN landed.residents r ON p.ref = 2 * r.row + 1
    WHERE p.population_type = 'resident' AND p.is_live AND p.birth_date > $born_to AND p.birth_date <= $next_born_to
) residents
ORDER BY waiting
