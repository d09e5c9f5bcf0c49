WITH @relaxed@,
given AS MATERIALIZED (
    SELECT g.*, k.service AS known FROM unnest($1::uuid[], $2::bytea[]) AS g(key, service)
        LEFT JOIN @schema@.sender k ON k.key = g.key
),
room AS MATERIALIZED (SELECT $3::int8 - count(*) AS left FROM @schema@.sender),
fits AS MATERIALIZED (
    SELECT f.key, f.service FROM (
        SELECT g.*, row_number() OVER (PARTITION BY g.known IS NULL ORDER BY g.key) AS place
        FROM given g WHERE g.known IS DISTINCT FROM g.service
    ) f CROSS JOIN room r
    WHERE f.known IS NOT NULL OR f.place <= r.left
),
learnt AS (
    INSERT INTO @schema@.sender (key, service)
    SELECT key, service FROM fits ORDER BY key
    ON CONFLICT (key) DO UPDATE SET service = excluded.service
    RETURNING key
)
SELECT g.key, g.known, EXISTS (SELECT FROM learnt l WHERE l.key = g.key)
FROM relaxed CROSS JOIN given g
