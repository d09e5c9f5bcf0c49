m.sid, m.source, m.sent_at, m.confirmed_at,
coalesce(o.attempts, d.attempts, x.attempts), coalesce(o.not_found, d.not_found, x.not_found),
CASE WHEN o.id IS NULL THEN coalesce(d.delivered_at, x.died_at) END,
CASE WHEN o.id IS NULL AND d.id IS NULL THEN x.failure END, x.http_status, x.code,
m.delivery, m.error_code, m.key
