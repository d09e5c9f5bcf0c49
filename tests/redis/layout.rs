//! Where the keys lie.

use std::collections::{BTreeMap, BTreeSet};

use tower_message_feedback::store::{
    Attempts, Failure, FailureKind, FeedbackStore, RedisStore, SettledAs, Settlement,
};

use crate::{
    servers::Redis,
    support::{cluster, lease, message, open, patient, queue, sid, target},
};

/// Keys by their hash tags.
fn by_tag(server: &Redis, prefix: &str) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in server.cli(&["keys", &format!("{prefix}:*")]).lines() {
        let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let tag = tag.map_or("", |(tag, _)| tag);
        keys.entry(tag.to_owned()).or_default().push(key.to_owned());
    }
    keys
}

async fn fill(store: &RedisStore) {
    for n in 0..300 {
        queue(store, n).await;
    }
    let messages: Vec<_> = (1000..3000).map(message).collect();
    store.record(&messages).await.expect("an answer");
    let dead = Failure::new(FailureKind::Rejected, Some(400), None);
    let settlements: Vec<Settlement> = lease(store, 200)
        .await
        .iter()
        .zip([SettledAs::Delivered, SettledAs::Dead(dead)].into_iter().cycle())
        .map(|(entry, settled_as)| Settlement::new(entry, Attempts::new(1, 0), settled_as))
        .collect();
    store.settle(&settlements).await.expect("an answer");
}

#[tokio::test]
async fn all_keys_of_a_shard_are_in_one_slot_and_shards_lie_evenly() {
    let store = patient(RedisStore::builder()).prefix(Redis::fresh_prefix());
    let store = store.connect_cluster(cluster().urls()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    fill(&store).await;
    let mut shards = BTreeSet::new();
    for node in cluster().nodes() {
        let keys = by_tag(node, store.prefix());
        let data: Vec<_> = keys.iter().filter(|(tag, _)| tag.parse::<u32>().is_ok()).collect();
        assert!((4..=6).contains(&data.len()), "{} shards on a master", data.len());
        for (tag, keys) in data {
            assert!(keys.len() > 7, "{keys:?}");
            let slots: BTreeSet<String> =
                keys.iter().map(|key| node.cli(&["cluster", "keyslot", key])).collect();
            assert_eq!(slots.len(), 1, "shard {tag}: {keys:?}");
            shards.insert(tag.clone());
        }
    }
    assert_eq!(shards.len(), 16);
}

#[tokio::test]
async fn what_waits_and_what_was_delivered_lies_in_packed_lists() {
    let server = Redis::start();
    let store = open(&server).await;
    fill(&store).await;
    let mut packed = 0;
    for keys in by_tag(&server, "tmf").into_values() {
        for key in keys.iter().filter(|key| kind(key).parse::<u32>().is_ok()) {
            let encoding = server.cli(&["object", "encoding", key]);
            // Dead letters, with their failures, are longer than Redis packs.
            if encoding.trim() == "listpack" || encoding.trim() == "ziplist" {
                packed += 1;
            }
        }
    }
    assert!(packed > 30, "{packed} packed buckets");
}

#[tokio::test]
async fn nothing_is_left_of_what_was_forgotten() {
    let server = Redis::start();
    let store = open(&server).await;
    fill(&store).await;
    let ids: Vec<u64> = (0..300).chain(1000..3000).collect();
    let targets: Vec<_> = ids
        .iter()
        .map(|n| match target(*n) {
            tower_message_feedback::store::ConfirmTarget::Id { keys, .. } => {
                tower_message_feedback::store::ForgetTarget::Id(keys)
            }
            _ => unreachable!("a target by id"),
        })
        .collect();
    let removed = store.forget(&targets).await.expect("an answer");
    assert_eq!(removed.iter().sum::<usize>(), 2300);
    let (fences, left): (Vec<String>, Vec<String>) = by_tag(&server, "tmf")
        .into_values()
        .flatten()
        .filter(|key| !["g", "i", "n", "c", "meta", "names", "numbers"].contains(&kind(key)))
        .partition(|key| kind(key).starts_with('f'));
    assert!(left.is_empty(), "{left:?}");
    // Their names are digests, and they end within the hour.
    for fence in fences {
        let digest = &kind(&fence)[1..];
        assert!(ids.iter().all(|n| !sid(*n).to_string().contains(digest)), "{fence}");
        let ttl: i64 = server.cli(&["ttl", &fence]).trim().parse().expect("a number");
        assert!((1..=3600).contains(&ttl), "{fence} lasts {ttl} seconds");
    }
}

fn kind(key: &str) -> &str {
    key.rsplit(':').next().unwrap_or_default()
}
