WITH @durable@,
victim AS MATERIALIZED (
    SELECT m.sid FROM @schema@.message m
    WHERE m.sid IN (
        SELECT k.sid FROM @schema@.message k WHERE k.key = ANY ($1::uuid[])
        UNION SELECT unnest($2::bytea[])
    )
    ORDER BY m.sid FOR UPDATE OF m
),
gone AS (
    DELETE FROM @schema@.message m USING victim v WHERE m.sid = v.sid
    RETURNING m.sid, m.key, m.entry
)
SELECT g.sid, g.key, g.entry FROM durable CROSS JOIN gone g
