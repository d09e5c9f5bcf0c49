WITH @durable@,
given AS MATERIALIZED (
    SELECT g.*, nextval('@schema@.message_id') AS id
    FROM unnest($1::bytea[], $2::uuid[], $3::int4[], $4::int8[], $5::int8[])
        WITH ORDINALITY AS g(sid, key, source, sent_at, expires_at, ord)
),
-- In one order in every process: batches that overlap wait, and do not deadlock.
inserted AS (
    INSERT INTO @schema@.message (sid, key, id, source, sent_at, expires_at)
    SELECT sid, key, id, source, sent_at, expires_at FROM given ORDER BY sid
    ON CONFLICT (sid) DO NOTHING
    RETURNING sid
)
SELECT g.ord, i.sid IS NOT NULL,
    CASE WHEN i.sid IS NULL THEN
        (SELECT m.key FROM @schema@.message m WHERE m.sid = g.sid)
    END
FROM durable CROSS JOIN given g LEFT JOIN inserted i ON i.sid = g.sid
