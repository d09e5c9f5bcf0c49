WITH @durable@,
given AS MATERIALIZED (
    SELECT g.*, nextval('@schema@.message_id') AS id
    FROM unnest($1::bytea[], $2::uuid[], $3::int4[], $4::int8[], $5::int8[])
        AS g(sid, key, source, sent_at, expires_at)
),
-- In one order in every process: batches that overlap wait, and do not deadlock.
inserted AS (
    INSERT INTO @schema@.message (sid, key, id, source, sent_at, expires_at)
    SELECT sid, key, id, source, sent_at, expires_at FROM given ORDER BY sid
    ON CONFLICT (sid) DO NOTHING
    RETURNING sid
)
-- What was there before is in the snapshot, what was inserted is not.
SELECT a.* FROM durable CROSS JOIN (
    SELECT i.sid, NULL::uuid AS key FROM inserted i
    UNION ALL
    SELECT m.sid, m.key FROM given g JOIN @schema@.message m ON m.sid = g.sid
) a
