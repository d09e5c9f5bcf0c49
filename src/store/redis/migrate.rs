use redis::Value;

use super::{
    RedisStore, RedisStoreError, answer,
    connection::Call,
    layout::{self, Layout, MAX_SHARDS},
    script::Op,
};

/// The version of the data that this release writes.
const VERSION: u64 = 2;
/// The oldest release that can work with it: those of version 1 do not line up
/// the entries they queue, which costs them in `counts` and nothing else.
const COMPATIBLE_FROM: u64 = 1;

struct Meta {
    version: u64,
    compatible_from: u64,
    shards: usize,
}

impl RedisStore {
    /// Creates the data, or upgrades it to what this release writes. Safe to
    /// repeat, and to call from many processes at once; they may work meanwhile.
    ///
    /// # Errors
    ///
    /// If Redis cannot be asked, or if a later release upgraded the data so far
    /// that this one cannot read it.
    pub async fn migrate(&self) -> Result<(), RedisStoreError> {
        let found = match self.meta().await? {
            Some(meta) => meta,
            None => self.write_meta(self.settings.shards).await?,
        };
        let layout = self.readable(&found)?;
        if found.version < 2 {
            self.upgrade_to_2(&layout).await?;
            self.write_meta(found.shards).await?;
        }
        let _ = self.layout.set(layout);
        Ok(())
    }

    /// Where everything lies, as it was fixed when the data was created.
    pub(super) async fn layout(&self) -> Result<&Layout, RedisStoreError> {
        self.layout
            .get_or_try_init(|| async {
                let meta = self.meta().await?.ok_or(RedisStoreError::not_migrated())?;
                if meta.version < VERSION {
                    return Err(RedisStoreError::old_schema(meta.version, VERSION));
                }
                self.readable(&meta)
            })
            .await
    }

    fn readable(&self, meta: &Meta) -> Result<Layout, RedisStoreError> {
        if meta.compatible_from > VERSION {
            return Err(RedisStoreError::new_schema(meta.version, VERSION));
        }
        if !meta.shards.is_power_of_two() || meta.shards > MAX_SHARDS {
            return Err(RedisStoreError::unreadable("the number of shards"));
        }
        Ok(Layout::new(&self.settings.prefix, meta.shards))
    }

    async fn meta(&self) -> Result<Option<Meta>, RedisStoreError> {
        let mut command = redis::cmd("HMGET");
        command.arg(layout::meta(&self.settings.prefix));
        command.arg("version").arg("compatible_from").arg("shards");
        let fields = answer::array(self.connection.command(&command).await?)?;
        match fields.first() {
            None | Some(Value::Nil) => Ok(None),
            Some(_) => read(&fields).map(Some),
        }
    }

    async fn write_meta(&self, shards: usize) -> Result<Meta, RedisStoreError> {
        let mut call = Call::new(Op::Migrate, &[layout::meta(&self.settings.prefix)]);
        for number in [VERSION, COMPATIBLE_FROM, shards as u64] {
            call.arg(number.to_string());
        }
        let answer = self.connection.run(&[call]).await?.pop().unwrap_or(Value::Nil);
        read(&answer::array(answer)?)
    }

    /// Version 2 lines up the outbox by age.
    async fn upgrade_to_2(&self, layout: &Layout) -> Result<(), RedisStoreError> {
        for shard in 0..layout.shards() {
            let mut cursor = b"0".to_vec();
            loop {
                let mut call = self.call(layout, shard, Op::Upgrade2);
                call.arg(cursor);
                let answer = self.connection.run(&[call]).await?.pop().unwrap_or(Value::Nil);
                cursor = answer::bytes(answer)?;
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn read(fields: &[Value]) -> Result<Meta, RedisStoreError> {
    let [version, compatible_from, shards] = fields else {
        return Err(RedisStoreError::unreadable("the description of the data"));
    };
    Ok(Meta {
        version: answer::number(version)?,
        compatible_from: answer::number(compatible_from)?,
        shards: usize::try_from(answer::number(shards)?)
            .map_err(|_| RedisStoreError::unreadable("the number of shards"))?,
    })
}
