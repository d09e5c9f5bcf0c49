LEFT JOIN @schema@.outbox o ON o.id = m.entry
LEFT JOIN @schema@.delivered d ON d.id = m.entry
LEFT JOIN @schema@.dead_letter x ON x.sid = m.sid AND x.id = m.entry
