SELECT t.ord, s.service
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS t(current, previous, ord)
    JOIN @schema@.sender s ON s.key IN (t.current, t.previous)
ORDER BY t.ord, s.key = t.current DESC
