given AS MATERIALIZED (
    SELECT g.*, nextval('@schema@.message_id') AS id, nextval('@schema@.entry_id') AS entry
    FROM unnest($7::int4[], $8::bytea[], $9::uuid[], $10::int4[], $11::int8[], $12::int8[])
        AS g(ord, sid, key, source, sent_at, expires_at)
),
recorded AS (
    INSERT INTO @schema@.message
        (sid, key, id, source, sent_at, expires_at, confirmed_at, entry)
    SELECT g.sid, g.key, g.id, g.source, g.sent_at, g.expires_at, c.now, g.entry
    FROM given g CROSS JOIN clock c ORDER BY g.sid
    ON CONFLICT (sid) DO NOTHING
    RETURNING sid, entry, source
),
