//! The servers that the other tests go by.

use std::{fs, io::Read, net::TcpStream, process::Command, time::Duration};

use crate::children::{Birth, hear, say};
use crate::servers::{Flow, PgBouncer, Postgres, Proxy, Redis, RedisCluster};

#[test]
fn postgres_is_killed_paused_and_restarted() {
    let mut server = Postgres::options().synced().start();
    server.sql("postgres", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    assert_eq!(server.sql("postgres", "SHOW fsync"), "on");
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.set("max_connections", 17);
    server.restart();
    assert_eq!(server.sql("postgres", "SELECT n FROM t"), "1");
    assert_eq!(server.sql("postgres", "SHOW max_connections"), "17");
    server.pause();
    // The system takes the connection, nobody says a word.
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a backlog");
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
    std::io::Write::write_all(&mut stream, &[0, 0, 0, 8, 4, 210, 22, 47]).expect("room");
    assert!(stream.read(&mut [0]).is_err());
    server.resume();
    assert_eq!(server.sql("postgres", "SELECT n FROM t"), "1");
}

#[test]
fn each_test_has_a_database_of_its_own() {
    let shared = Postgres::shared();
    let (one, other) = (shared.fresh_database(), shared.fresh_database());
    one.sql("CREATE TABLE t ()");
    assert_eq!(other.sql("SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
    let pool = PgBouncer::start(shared);
    let url = pool.url(one.name());
    let bin = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL").next().expect("a version");
    let psql = bin.expect("a version").path().join("bin/psql");
    let count = Command::new(psql).args(["-Atc", "SELECT count(*) FROM t", &url]).output();
    assert_eq!(String::from_utf8_lossy(&count.expect("psql").stdout), "0\n", "{}", pool.log());
}

#[test]
fn redis_keeps_what_it_is_told_to_keep() {
    let mut server = Redis::options().append_only("always").password("secret").start();
    server.cli(&["set", "k", "v"]);
    server.kill();
    server.restart();
    assert_eq!(server.cli(&["get", "k"]), "v");
    server.pause();
    server.resume();
    assert_eq!(server.cli(&["config", "get", "appendfsync"]), "appendfsync\nalways");
    assert_ne!(Redis::shared().fresh_database(), Redis::shared().fresh_database());
}

#[test]
fn a_cluster_serves_all_its_slots() {
    let mut cluster = RedisCluster::start();
    for node in cluster.nodes() {
        assert!(node.cli(&["cluster", "info"]).contains("cluster_slots_ok:16384"));
    }
    cluster.node_mut(1).restart();
    cluster.await_ok();
}

#[test]
fn a_proxy_stalls_refuses_and_cuts_in_the_middle() {
    use std::io::Write;
    let server = Redis::start();
    let proxy = Proxy::start(server.port());
    assert!(proxy.url(&server.url()).contains(&proxy.port().to_string()));
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).expect("a proxy");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        stream
    };
    let ask = |stream: &mut TcpStream| -> std::io::Result<Vec<u8>> {
        stream.write_all(b"PING\r\n")?;
        let mut answer = vec![0; 7];
        let length = stream.read(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    };
    let mut stream = connect();
    assert_eq!(ask(&mut stream).expect("an answer"), b"+PONG\r\n");

    proxy.set(Flow::StallAnswers);
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    assert!(ask(&mut stream).is_err());
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    proxy.pass();
    let mut late = [0; 7];
    stream.read_exact(&mut late).expect("the answer, late");

    proxy.cut_after_answer_bytes(9);
    assert_eq!(ask(&mut stream).expect("an answer"), b"+PONG\r\n");
    assert_eq!(ask(&mut stream).expect("a part"), b"+P");
    assert!(ask(&mut stream).map_or(true, |answer| answer.is_empty()));

    proxy.set(Flow::Refuse);
    assert!(ask(&mut connect()).map_or(true, |answer| answer.is_empty()));
    proxy.set(Flow::Pass(Duration::from_millis(50)));
    let mut stream = connect();
    assert_eq!(ask(&mut stream).expect("an answer"), b"+PONG\r\n");
    proxy.cut();
    assert!(ask(&mut stream).map_or(true, |answer| answer.is_empty()));
}

/// The child of the test below: starts one of each, and pauses PostgreSQL.
pub(crate) fn family() {
    let mut postgres = Postgres::start();
    let redis = Redis::start();
    let pool = PgBouncer::start(&postgres);
    postgres.pause();
    let files = postgres.data();
    let home = files.ancestors().nth(2).expect("the home of all");
    say(&format!("home {}", home.display()));
    drop(hear());
    unreachable!("the parent kills it: {} {}", redis.port(), pool.port());
}

#[tokio::test]
async fn servers_do_not_outlive_a_test_that_is_killed() {
    let mut child = Birth::at("family").start();
    let home = child.heard("home").await;
    let members = || {
        let processes = fs::read_dir("/proc").expect("Linux").flatten();
        let ours = processes.filter(|process| {
            fs::read_link(process.path().join("cwd")).is_ok_and(|at| at.starts_with(&home))
        });
        ours.count()
    };
    // The postmaster and its helpers, stopped; Redis; PgBouncer.
    assert!(members() >= 6, "{}", members());
    child.kill();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while members() > 0 || fs::exists(&home).expect("a path") {
        assert!(std::time::Instant::now() < deadline, "{} processes are left", members());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
