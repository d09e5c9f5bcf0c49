given AS MATERIALIZED (
    SELECT g.*, nextval('@schema@.message_id') AS id, nextval('@schema@.entry_id') AS entry
    FROM unnest($6::int4[], $7::bytea[], $8::uuid[], $9::int4[], $10::int8[], $11::int8[])
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
