use std::sync::LazyLock;

use redis::Script;

/// What runs on the server, whole or not at all. All but the last two read
/// one shard, whose names they get as `KEYS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Record,
    Confirm,
    Peek,
    Take,
    Settle,
    Find,
    Forget,
    Resend,
    Dead,
    Expire,
    Drop,
    Counts,
    Overdue,
    Upgrade2,
    Fence,
    /// The index by SID of a shard.
    Index,
    DropIndex,
    /// How far the messages of a shard were delivered.
    Statuses,
    DropStatuses,
    Notes,
    /// What is in one place for all shards.
    AddRollups,
    Rollups,
    Names,
    Migrate,
}

macro_rules! scripts {
    ($($op:ident = [$($file:literal),*];)*) => {
        impl Op {
            /// Its text and its digest.
            pub(super) fn script(self) -> &'static Source {
                match self {
                    $(Self::$op => {
                        static SOURCE: LazyLock<Source> = LazyLock::new(|| {
                            let text = concat!($(include_str!(concat!("lua/", $file, ".lua")), "\n"),*);
                            Source { text, digest: Script::new(text).get_hash().into() }
                        });
                        &SOURCE
                    })*
                }
            }
        }
    };
}

/// A script as Redis gets it.
pub(super) struct Source {
    pub(super) text: &'static str,
    pub(super) digest: Box<str>,
}

scripts! {
    Record = ["lib", "records", "record"];
    Confirm = ["lib", "records", "confirm"];
    Peek = ["lib", "peek"];
    Take = ["lib", "records", "take"];
    Settle = ["lib", "records", "settle"];
    Find = ["lib", "records", "find"];
    Forget = ["lib", "records", "forget"];
    Resend = ["lib", "records", "resend"];
    Dead = ["lib", "dead"];
    Expire = ["lib", "records", "expire"];
    Drop = ["lib", "drop"];
    Counts = ["lib", "counts"];
    Overdue = ["lib", "records", "overdue"];
    Upgrade2 = ["lib", "records", "upgrade_2"];
    Fence = ["lib", "records", "fence"];
    Index = ["lib", "index"];
    DropIndex = ["lib", "drop"];
    Statuses = ["lib", "statuses"];
    DropStatuses = ["lib", "drop"];
    Notes = ["notes"];
    AddRollups = ["add_rollups"];
    Rollups = ["rollups"];
    Names = ["names"];
    Migrate = ["migrate"];
}
