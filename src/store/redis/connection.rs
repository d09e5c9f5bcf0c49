use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use redis::{
    Client, Cmd, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, ConnectionManagerConfig},
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo},
};

use super::{RedisStoreError, error::code, script::Op, server::Server};

/// How long an answer and a connection may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) response: Duration,
    pub(super) connect: Duration,
}

/// One server, or a cluster: both share a few connections among all tasks, and
/// connect again by themselves.
#[derive(Clone)]
pub(super) struct Connection {
    kind: Kind,
    longest: Duration,
}

#[derive(Clone)]
enum Kind {
    Server(Server),
    Cluster(ClusterConnection),
}

/// One script on one shard.
#[derive(Debug, Clone)]
pub(super) struct Call {
    op: Op,
    keys: Vec<String>,
    args: Vec<Vec<u8>>,
}

impl Call {
    pub(super) fn new(op: Op, keys: &[String]) -> Self {
        Self { op, keys: keys.to_vec(), args: Vec::new() }
    }

    pub(super) fn arg(&mut self, arg: impl Into<Vec<u8>>) {
        self.args.push(arg.into());
    }

    fn command(&self, whole: bool) -> Cmd {
        let source = self.op.script();
        let mut cmd = redis::cmd(if whole { "EVAL" } else { "EVALSHA" });
        cmd.arg(if whole { source.text } else { &source.digest });
        cmd.arg(self.keys.len());
        for key in &self.keys {
            cmd.arg(key.as_str());
        }
        for arg in &self.args {
            cmd.arg(arg.as_slice());
        }
        cmd
    }
}

/// What a call asks for beside its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replicas {
    pub(super) count: u32,
    pub(super) timeout: Duration,
}

impl Connection {
    pub(super) async fn server(client: Client, timeouts: Timeouts) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeouts.connect))
            .set_response_timeout(Some(timeouts.response))
            // The next command tries again; one command is not held up by many tries.
            .set_number_of_retries(0)
            .set_pipeline_buffer_size(1024);
        Ok(Self::of(Kind::Server(Server::connect(client, config).await?), timeouts))
    }

    pub(super) async fn cluster(client: &ClusterClient, timeouts: Timeouts) -> RedisResult<Self> {
        let config = ClusterConfig::new()
            .set_connection_timeout(timeouts.connect)
            .set_response_timeout(timeouts.response);
        let connection = client.get_async_connection_with_config(config).await?;
        Ok(Self::of(Kind::Cluster(connection), timeouts))
    }

    fn of(kind: Kind, timeouts: Timeouts) -> Self {
        Self { kind, longest: timeouts.response.saturating_add(timeouts.connect) }
    }

    /// Runs the calls, in one round trip a server, and answers what each said.
    pub(super) async fn run(&self, calls: &[Call]) -> Result<Vec<Value>, RedisStoreError> {
        self.run_and_wait(calls, None).await
    }

    pub(super) async fn run_and_wait(
        &self,
        calls: &[Call],
        replicas: Option<Replicas>,
    ) -> Result<Vec<Value>, RedisStoreError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let mut again = 0;
        loop {
            match self.run_once(calls, replicas).await {
                // A connection that the server closed while it was idle, or that
                // ended with the server: every script is safe to repeat.
                Err(Failed::Redis(error)) if error.is_connection_dropped() && again == 0 => {
                    again += 1;
                }
                Err(Failed::Redis(error)) if is_read_only(&error) && again == 0 => {
                    again += 1;
                    self.leave();
                }
                Err(Failed::Redis(error)) => return Err(error.into()),
                Err(Failed::Store(error)) => return Err(error),
                Ok(answers) => return Ok(answers),
            }
        }
    }

    /// Leaves a server that has become a replica: the name may lead to the new
    /// master by now.
    fn leave(&self) {
        if let Kind::Server(server) = &self.kind {
            server.leave();
        }
    }

    async fn run_once(
        &self,
        calls: &[Call],
        replicas: Option<Replicas>,
    ) -> Result<Vec<Value>, Failed> {
        let mut answers = self.bounded(self.send(calls, false, replicas), replicas).await?;
        // A server that was restarted, or whose scripts were flushed.
        let unknown: Vec<usize> = answers
            .iter()
            .enumerate()
            .filter(|(_, answer)| is_no_script(answer))
            .map(|(at, _)| at)
            .collect();
        if !unknown.is_empty() {
            let whole: Vec<Call> = unknown.iter().map(|at| calls[*at].clone()).collect();
            let again = self.bounded(self.send(&whole, true, replicas), replicas).await?;
            for (at, answer) in unknown.into_iter().zip(again) {
                answers[at] = answer;
            }
        }
        answers.into_iter().map(|answer| answer.extract_error().map_err(Failed::Redis)).collect()
    }

    /// The driver has timeouts of its own; this one is for what they leave out.
    async fn bounded<T>(
        &self,
        operation: impl Future<Output = Result<T, Failed>>,
        replicas: Option<Replicas>,
    ) -> Result<T, Failed> {
        let longest =
            replicas.map_or(self.longest, |replicas| self.longest.saturating_add(replicas.timeout));
        tokio::time::timeout(longest, operation)
            .await
            .unwrap_or(Err(Failed::Store(RedisStoreError::timed_out())))
    }

    async fn send(
        &self,
        calls: &[Call],
        whole: bool,
        replicas: Option<Replicas>,
    ) -> Result<Vec<Value>, Failed> {
        let commands = calls.iter().map(|call| call.command(whole));
        match &self.kind {
            Kind::Server(server) => {
                let mut server = server.clone();
                send(&mut server, commands.collect(), replicas).await
            }
            // A pipeline goes to one slot; the driver's connections put together
            // what is sent to one node at the same time.
            Kind::Cluster(connection) => {
                let sent = commands.map(|command| {
                    let mut connection = connection.clone();
                    async move { send(&mut connection, vec![command], replicas).await }
                });
                let mut answers = Vec::with_capacity(calls.len());
                for answer in join_all(sent.collect()).await {
                    answers.extend(answer?);
                }
                Ok(answers)
            }
        }
    }

    /// Sends a command that is no script to one server, or wherever its key is.
    pub(super) async fn command(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        let answer = async {
            let answer = match &self.kind {
                Kind::Server(server) => server.clone().req_packed_command(command).await,
                Kind::Cluster(connection) => connection.clone().req_packed_command(command).await,
            };
            answer.and_then(Value::extract_error).map_err(Failed::Redis)
        };
        Ok(self.bounded(answer, None).await?)
    }

    /// Sends a command to the server or to every master.
    pub(super) async fn ask_masters(&self, command: &Cmd) -> Result<Vec<Value>, RedisStoreError> {
        let Kind::Cluster(connection) = &self.kind else {
            return Ok(vec![self.command(command).await?]);
        };
        let routing = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers = async {
            let answer = connection.clone().route_command(command.clone(), routing).await;
            match answer.and_then(Value::extract_error).map_err(Failed::Redis)? {
                Value::Map(by_node) => Ok(by_node.into_iter().map(|(_, answer)| answer).collect()),
                other => Ok(vec![other]),
            }
        };
        Ok(self.bounded(answers, None).await?)
    }
}

enum Failed {
    Redis(RedisError),
    Store(RedisStoreError),
}

impl From<Failed> for RedisStoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Redis(error) => error.into(),
            Failed::Store(error) => error,
        }
    }
}

async fn send(
    connection: &mut impl ConnectionLike,
    mut commands: Vec<Cmd>,
    replicas: Option<Replicas>,
) -> Result<Vec<Value>, Failed> {
    let count = commands.len();
    if let (None, [command]) = (replicas, &commands[..]) {
        return Ok(vec![connection.req_packed_command(command).await.map_err(Failed::Redis)?]);
    }
    if let Some(replicas) = replicas {
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas.count)
            .arg(u64::try_from(replicas.timeout.as_millis()).unwrap_or(u64::MAX));
        commands.push(wait);
    }
    let mut pipeline = Pipeline::with_capacity(commands.len());
    let sent = commands.len();
    for command in commands {
        pipeline.add_command(command);
    }
    let mut answers =
        connection.req_packed_commands(&pipeline, 0, sent).await.map_err(Failed::Redis)?;
    if answers.len() != sent {
        return Err(Failed::Store(RedisStoreError::unreadable("the answers to a pipeline")));
    }
    if let Some(replicas) = replicas {
        let waited = answers.split_off(count);
        // What was not run has nothing to wait for.
        if !answers.iter().any(is_no_script) {
            acknowledged(replicas, waited)?;
        }
    }
    Ok(answers)
}

fn acknowledged(replicas: Replicas, waited: Vec<Value>) -> Result<(), Failed> {
    for answer in waited {
        let acknowledged = match answer.extract_error().map_err(Failed::Redis)? {
            Value::Int(count) => u64::try_from(count).unwrap_or(0),
            _ => 0,
        };
        if acknowledged < u64::from(replicas.count) {
            return Err(Failed::Store(RedisStoreError::replicas(replicas.count, acknowledged)));
        }
    }
    Ok(())
}

fn is_no_script(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

fn is_read_only(error: &RedisError) -> bool {
    code(error) == Some("READONLY")
}

/// Waits for all of them at once; the answers in their order.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut all = true;
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(ready) => *output = Some(ready),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Server(_) => "Connection(server)",
            Kind::Cluster(_) => "Connection(cluster)",
        })
    }
}
