//! Creating and upgrading the data.

use tower_message_feedback::store::{FeedbackStore, RedisStore};

use crate::{
    servers::Redis,
    support::{cause, lease, open, patient, queue, record, seconds},
};

async fn connect(server: &Redis) -> RedisStore {
    patient(RedisStore::builder()).connect(server.url()).await.expect("a connection")
}

#[tokio::test]
async fn data_that_was_not_created_is_told_with_what_to_do() {
    let server = Redis::start();
    let store = connect(&server).await;
    let error = store.counts().await.expect_err("nothing there");
    assert!(cause(&error).needs_migration());
    assert!(cause(&error).to_string().contains("migrate()"), "{error:?}");
    store.migrate().await.expect("the data is created");
    store.migrate().await.expect("nothing to do");
    assert_eq!(store.counts().await.expect("an answer").messages, 0);
    // Another object finds it.
    record(&connect(&server).await, 1).await;
}

#[tokio::test]
async fn many_may_create_it_at_once_and_agree() {
    let server = Redis::start();
    let mut tasks = Vec::new();
    for at in 0..8_u32 {
        let builder = patient(RedisStore::builder()).shards(1 << (at % 4));
        let url = server.url();
        tasks.push(tokio::spawn(async move {
            let store = builder.connect(url).await.expect("a connection");
            store.migrate().await.expect("the data is created");
            queue(&store, u64::from(at)).await;
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(lease(&connect(&server).await, 100).await.len(), 8);
}

#[tokio::test]
async fn the_number_of_shards_stays_what_it_was() {
    let server = Redis::start();
    let few = patient(RedisStore::builder()).shards(2);
    let few = few.connect(server.url()).await.expect("a connection");
    few.migrate().await.expect("the data is created");
    queue(&few, 1).await;
    let many = patient(RedisStore::builder()).shards(256);
    let many = many.connect(server.url()).await.expect("a connection");
    many.migrate().await.expect("nothing to do");
    assert_eq!(lease(&many, 10).await.len(), 1);
    assert_eq!(server.cli(&["hget", "tmf:meta", "shards"]).trim(), "2");
}

/// Makes what version 1 would have left: nothing lined up the outbox by age.
fn downgrade_to_1(server: &Redis) {
    for name in server.cli(&["keys", "tmf:*:age"]).lines() {
        server.cli(&["del", name]);
    }
    server.cli(&["hset", "tmf:meta", "version", "1", "compatible_from", "1"]);
}

#[tokio::test]
async fn data_of_the_previous_version_is_upgraded_with_all_that_is_in_it() {
    let server = Redis::start();
    let store = open(&server).await;
    for n in 0..50 {
        queue(&store, n).await;
    }
    record(&store, 100).await;
    downgrade_to_1(&server);

    let store = connect(&server).await;
    let error = store.counts().await.expect_err("too old");
    assert!(cause(&error).needs_migration(), "{error:?}");
    // Many processes start at once.
    let others = [connect(&server).await, connect(&server).await];
    let (a, b, c) = tokio::join!(store.migrate(), others[0].migrate(), others[1].migrate());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    let counts = store.counts().await.expect("an answer");
    assert_eq!((counts.outbox, counts.messages), (50, 51));
    assert!(counts.oldest_outbox_age.is_some_and(|age| age < seconds(300)));
    assert_eq!(lease(&store, 100).await.len(), 50);
    assert_eq!(server.cli(&["hget", "tmf:meta", "version"]).trim(), "2");
}

#[tokio::test]
async fn data_of_a_later_version_is_read_only_if_that_says_so() {
    let server = Redis::start();
    record(&open(&server).await, 1).await;
    server.cli(&["hset", "tmf:meta", "version", "9", "compatible_from", "2"]);
    let store = connect(&server).await;
    store.migrate().await.expect("nothing to do");
    queue(&store, 2).await;
    server.cli(&["hset", "tmf:meta", "compatible_from", "3"]);
    let store = connect(&server).await;
    let error = store.counts().await.expect_err("too new");
    assert!(cause(&error).to_string().contains("upgrade"), "{error:?}");
    assert!(store.migrate().await.is_err());
    assert_eq!(server.cli(&["hget", "tmf:meta", "version"]).trim(), "9");
}

#[tokio::test]
async fn data_whose_shards_cannot_be_is_not_read() {
    let server = Redis::start();
    record(&open(&server).await, 1).await;
    for shards in ["12", "512", "0"] {
        server.cli(&["hset", "tmf:meta", "shards", shards]);
        let store = connect(&server).await;
        let error = store.counts().await.expect_err(shards);
        assert!(cause(&error).to_string().contains("the number of shards"), "{error:?}");
        assert!(store.migrate().await.is_err());
    }
}
