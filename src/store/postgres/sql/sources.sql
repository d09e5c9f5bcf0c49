-- Looks before it inserts: a conflict would use up a number each time.
WITH given AS MATERIALIZED (
    SELECT g.* FROM unnest($1::bytea[], $2::text[], $3::text[])
        WITH ORDINALITY AS g(account, base_url, label, ord)
),
new_account AS (
    INSERT INTO @schema@.account (sid)
    SELECT DISTINCT g.account FROM given g
    WHERE NOT EXISTS (SELECT FROM @schema@.account a WHERE a.sid = g.account)
    ORDER BY g.account
    ON CONFLICT (sid) DO NOTHING
    RETURNING id, sid
),
owner AS MATERIALIZED (
    SELECT g.ord, coalesce(a.id, n.id) AS account, g.base_url, g.label FROM given g
        LEFT JOIN @schema@.account a ON a.sid = g.account
        LEFT JOIN new_account n ON n.sid = g.account
),
old AS MATERIALIZED (
    SELECT o.ord, s.id FROM owner o JOIN @schema@.source s ON s.account = o.account
        AND s.base_url = o.base_url
        AND (s.label = o.label OR s.label IS NULL AND o.label IS NULL)
),
new AS (
    INSERT INTO @schema@.source (account, base_url, label)
    SELECT DISTINCT o.account, o.base_url, o.label FROM owner o
    WHERE o.account IS NOT NULL AND o.ord NOT IN (SELECT ord FROM old)
    ORDER BY o.account, o.base_url, o.label
    ON CONFLICT DO NOTHING
    RETURNING id, account, base_url, label
)
SELECT o.ord, coalesce(old.id, n.id), o.account FROM owner o
    LEFT JOIN old ON old.ord = o.ord
    LEFT JOIN new n ON n.account = o.account AND n.base_url = o.base_url
        AND (n.label = o.label OR n.label IS NULL AND o.label IS NULL)
WHERE coalesce(old.id, n.id) IS NOT NULL
