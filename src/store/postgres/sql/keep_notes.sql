WITH @durable@,
given AS MATERIALIZED (
    SELECT g.*, n.value AS known FROM unnest($1::uuid[], $2::bytea[], $3::int8[])
            AS g(key, value, keep_until)
        LEFT JOIN @schema@.note n ON n.key = g.key
),
kept AS (
    INSERT INTO @schema@.note AS n (key, value, keep_until)
    SELECT key, value, keep_until FROM given ORDER BY key
    ON CONFLICT (key) DO UPDATE SET value = excluded.value,
        keep_until = greatest(n.keep_until, excluded.keep_until)
)
SELECT g.key, g.known FROM durable CROSS JOIN given g
