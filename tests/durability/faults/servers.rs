//! A PostgreSQL and a Redis that die, hang, lose their network and fill up.

use std::time::{Duration, Instant};

use super::load::{Load, Phase, STORE_TIMEOUT};
use crate::{
    application::{Application, builder},
    server::{Server, Watched},
    servers::{Flow, Proxy, Redis},
    stores::Spec,
    unsynced::Unsynced,
    world::World,
};

struct Scene {
    server: Server,
    unsynced: Unsynced,
    proxy: Proxy,
    load: Load,
    before: Phase,
}

impl Scene {
    async fn new(world: &World, (server, unsynced): Watched) -> Self {
        let proxy = Proxy::start(server.port());
        let store = server.spec(proxy.url(&server.url())).open().await;
        let builder = builder(&world.base_url(), store).store_timeout(STORE_TIMEOUT);
        let application = Application::new(&world.base_url(), builder);
        let load = Load::start(application, "s");
        load.is_warm().await;
        let before = load.watch().await;
        Self { server, unsynced, proxy, load, before }
    }

    /// Lets a fault last from `begin` to `end`, and looks at the sends meanwhile.
    async fn through(
        &mut self,
        name: &str,
        begin: impl FnOnce(&mut Server, &Proxy, &Unsynced),
        end: impl FnOnce(&mut Server, &Proxy, &Unsynced),
    ) {
        let Self { server, unsynced, proxy, load, before } = self;
        let during = load
            .watch_during(async {
                begin(server, proxy, unsynced);
                load.a_while().await;
                end(server, proxy, unsynced);
            })
            .await;
        during.went_on(name, *before);
        load.recovered().await;
    }

    /// Cuts connections again and again, in the middle of answers and elsewhere.
    async fn cut(&mut self) {
        let Self { proxy, load, before, .. } = self;
        let cuts = async {
            loop {
                proxy.cut_after_answer_bytes(fastrand::u64(0..300));
                tokio::time::sleep(Duration::from_millis(150)).await;
                proxy.cut();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let during = load
            .watch_during(async {
                tokio::select! {
                    () = cuts => {}
                    () = load.a_while() => {}
                }
            })
            .await;
        // No cut is left for later.
        proxy.cut_after_answer_bytes(u64::MAX);
        during.went_on("cut in the middle", *before);
        load.recovered().await;
    }
}

/// On a runtime of several threads: calls to the kit block this one.
async fn goes_on(watched: Watched) {
    let world = World::new().await;
    let mut scene = Scene::new(&world, watched).await;

    scene.through("killed", |server, _, _| server.kill(), |server, _, _| server.restart()).await;
    scene.through("paused", |server, _, _| server.pause(), |server, _, _| server.resume()).await;
    scene.through("restarted", |server, _, _| server.restart(), |_, _, _| {}).await;
    scene.cut().await;
    scene
        .through("stalled", |_, proxy, _| proxy.set(Flow::Stall), |_, proxy, _| proxy.pass())
        .await;
    let lose_answers = |_: &mut Server, proxy: &Proxy, _: &Unsynced| {
        proxy.set(Flow::StallAnswers);
    };
    let cut_off = |_: &mut Server, proxy: &Proxy, _: &Unsynced| {
        proxy.cut();
        proxy.pass();
    };
    scene.through("answers lost", lose_answers, cut_off).await;
    // It may die of it.
    let make_room = |server: &mut Server, _: &Proxy, unsynced: &Unsynced| {
        unsynced.set_full(false);
        server.restart();
    };
    scene.through("disk full", |_, _, unsynced| unsynced.set_full(true), make_room).await;

    let stats = scene.load.feedback().stats();
    assert!(stats.confirms.store_errors > 0 && stats.delivery.store_errors > 0, "{stats:?}");
    let answers = scene.load.all_is_reported(&world).await;
    println!(
        "{answers:?}, {} reported twice, {} connections",
        world.duplicates(),
        scene.proxy.connections()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_go_on_whatever_becomes_of_postgres() {
    goes_on(Server::postgres(&[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_go_on_whatever_becomes_of_redis() {
    goes_on(Server::redis("always")).await;
}

/// An attempt to connect fails on what is no error of I/O. The next one is made
/// all the same.
#[tokio::test]
async fn a_greeting_of_redis_that_is_cut_in_the_middle_is_not_remembered() {
    let server = Redis::start();
    let proxy = Proxy::start(server.port());
    let store = Spec::Redis { url: proxy.url(&server.url()) }.open().await;
    for bytes in 1..8 {
        proxy.cut();
        proxy.cut_after_answer_bytes(bytes);
        let cuts = proxy.connections();
        let deadline = Instant::now() + Duration::from_secs(60);
        // Until the cut has come; who was in its way may fail.
        while proxy.connections() < cuts + 2 {
            let _ = store.counts().await;
            assert!(Instant::now() < deadline, "{bytes} bytes: it does not connect again");
        }
        proxy.cut_after_answer_bytes(u64::MAX);
        while let Err(error) = store.counts().await {
            assert!(Instant::now() < deadline, "{bytes} bytes of it: {error:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
