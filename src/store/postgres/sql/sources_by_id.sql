SELECT s.id, s.account, a.sid, s.base_url, s.label
FROM @schema@.source s JOIN @schema@.account a ON a.id = s.account
WHERE s.id = ANY ($1::int4[])
