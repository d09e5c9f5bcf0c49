use super::{RedisStore, RedisStoreError, answer, confirm::key_item, lookup::sid_item, script::Op};
use crate::{MessageSid, store::ForgetTarget};

impl RedisStore {
    pub(super) async fn forget_all(
        &self,
        targets: &[ForgetTarget],
    ) -> Result<Vec<usize>, RedisStoreError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let sids: Vec<MessageSid> = targets
            .iter()
            .filter_map(|target| match target {
                ForgetTarget::Message(sid) => Some(*sid),
                ForgetTarget::Id(_) => None,
            })
            .collect();
        let mut hashes = self.hashes_of(layout, &sids).await?.into_iter();
        let (mut which, mut items) = (Vec::new(), Vec::new());
        for (at, target) in targets.iter().enumerate() {
            let looked_for: Vec<_> = match *target {
                ForgetTarget::Id(keys) => keys.iter().map(|key| key_item(b'k', key)).collect(),
                ForgetTarget::Message(sid) => hashes
                    .next()
                    .unwrap_or_default()
                    .into_iter()
                    .map(|hash| sid_item(b's', hash, sid))
                    .collect(),
            };
            for (hash, item) in looked_for {
                which.push(at);
                items.push((layout.shard_of_hash(hash), item));
            }
        }
        let batches = self.batches(layout, Op::Forget, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        let mut removed = vec![0; targets.len()];
        let mut gone = Vec::new();
        for (at, answer) in which.into_iter().zip(batches.arrays(answers)?) {
            let messages = answer::strings(answer)?;
            removed[at] += messages.len();
            gone.extend(messages);
        }
        self.unindex(layout, &gone).await?;
        // Hash and SID. A status may outlive a message that is over.
        let of_ids = gone.iter().filter_map(|gone| MessageSid::unpack(gone.get(4..)?));
        self.forget_deliveries(layout, of_ids.chain(sids)).await?;
        Ok(removed)
    }
}
