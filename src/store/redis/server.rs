//! The connection to one server.

use std::sync::{Arc, Mutex, PoisonError};

use redis::{
    Client, Cmd, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};

/// One server, which all tasks share.
///
/// The driver's manager connects again when a connection has ended. But of an
/// attempt that failed it keeps the error for ever unless that was one of I/O,
/// and there are others: a greeting that was cut in the middle, a password that
/// was just changed, too many clients. Then it makes way for a new one here.
#[derive(Clone)]
pub(super) struct Server(Arc<Inner>);

struct Inner {
    client: Client,
    config: ConnectionManagerConfig,
    manager: Mutex<Numbered>,
}

#[derive(Clone)]
struct Numbered {
    number: u64,
    manager: ConnectionManager,
}

impl Server {
    pub(super) async fn connect(
        client: Client,
        config: ConnectionManagerConfig,
    ) -> RedisResult<Self> {
        let manager = ConnectionManager::new_with_config(client.clone(), config.clone()).await?;
        let manager = Mutex::new(Numbered { number: 0, manager });
        Ok(Self(Arc::new(Inner { client, config, manager })))
    }

    fn current(&self) -> Numbered {
        self.0.manager.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects anew with the next command: what a name leads to may have changed.
    pub(super) fn leave(&self) {
        self.replace(self.current().number);
    }

    /// Replaces the manager with this number, if nobody else has.
    fn replace(&self, number: u64) {
        let mut current = self.0.manager.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number != number {
            return;
        }
        let (client, config) = (self.0.client.clone(), self.0.config.clone());
        // It connects with its first command. It fails for settings alone, and
        // with these the first one was made.
        if let Ok(manager) = ConnectionManager::new_lazy_with_config(client, config) {
            *current = Numbered { number: number + 1, manager };
        }
    }

    /// What a server says of a command is no error here, but for one that was
    /// said while connecting.
    fn looked_at<T>(&self, number: u64, result: RedisResult<T>) -> RedisResult<T> {
        if result.as_ref().is_err_and(|error| !error.is_io_error()) {
            self.replace(number);
        }
        result
    }
}

impl ConnectionLike for Server {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let Numbered { number, mut manager } = self.current();
            self.looked_at(number, manager.req_packed_command(cmd).await)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let Numbered { number, mut manager } = self.current();
            self.looked_at(number, manager.req_packed_commands(cmd, offset, count).await)
        })
    }

    fn get_db(&self) -> i64 {
        self.current().manager.get_db()
    }
}
