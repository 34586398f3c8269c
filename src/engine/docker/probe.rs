//! Waiting until a container is ready, by asking it ourselves.
//!
//! The engine's health check has an interval; a service that is ready just after a tick would be taken
//! for ready a tick later, once for every service of a chain. So we ask at once and then often.

use std::{net::IpAddr, time::Duration};

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt as _;
use http_body_util::Empty;
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};

use super::{
    Docker,
    container::pause,
    decode::{self, Object},
    dialect,
    exec::Command,
};
use crate::{
    desired::Probe,
    engine::{Error, Evidence},
    model::Millis,
    observed::{Health, State},
    plan::Target,
};

/// Pauses between two questions. Nobody sees a quarter of a second, and what the engine does meanwhile is
/// more worth than a hundred answers in a second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A service that accepts and then says nothing is asked again after this.
const ANSWER: Duration = Duration::from_secs(5);
/// An address of this machine's bridge answers or refuses at once; silence means that it is the
/// address of another machine, as with engines that run in one of their own.
const DIAL: Duration = Duration::from_secs(1);
/// The engine starts again after 0.1, 0.2, 0.4 … seconds: the fifth time after some three seconds, by
/// when a service that waited for something brief would have found it.
const CRASH_LOOP: i64 = 5;
/// Without a health check, running for so long has to do for being ready: a program that cannot work at
/// all ends sooner.
const STEADY: Duration = Duration::from_millis(500);
/// Lines of the log that are shown of a service that failed.
const LOG_LINES: usize = 20;

/// What one question brought.
enum Answer {
    /// It is ready.
    Ready,
    /// It runs, and there is nothing to ask.
    Runs,
    /// It is not, yet.
    NotYet(String),
    /// It never will be.
    Never(String),
}

/// What there is to know about a container while it comes up.
struct Life {
    id: String,
    state: State,
    /// When this run of it began, as the engine writes it.
    started: String,
    restarts: i64,
    health: Option<Health>,
    health_test: Vec<String>,
    health_output: String,
    /// With the length of its network's part.
    address: Option<(IpAddr, u32)>,
}

impl Docker {
    pub(super) async fn await_ready(
        &self,
        target: &Target,
        probe: &Probe,
        within: Millis,
    ) -> Result<(), Error> {
        let what = format!("wait for {}", target.name());
        let reference = self.exact(target, &what).await?;
        let begin = Instant::now();
        let deadline = begin + within.duration();
        let mut before = None;
        let mut steady: Option<(String, Instant)> = None;
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = Instant::now();
            let life = self.life(&reference, &what).await?;
            let restarts_before = *before.get_or_insert(life.restarts);
            let mut answer = match prospects(&life, probe, restarts_before) {
                Some(answer) => answer,
                None => self.ask(&life, probe, &what).await,
            };
            let mut wait = pause_after(begin.elapsed(), asked.elapsed());
            if matches!(answer, Answer::Runs) {
                let same_run = steady.take().filter(|(run, _)| *run == life.started);
                let (_, since) = steady
                    .insert(same_run.unwrap_or_else(|| (life.started.clone(), Instant::now())));
                if since.elapsed() >= STEADY || Instant::now() >= deadline {
                    return Ok(());
                }
                // There is nothing to see before that.
                wait = STEADY.saturating_sub(since.elapsed()).max(SHORTEST_PAUSE);
            }
            if Instant::now() >= deadline
                && let Answer::NotYet(last) = answer
            {
                answer = Answer::Never(last);
            }
            match answer {
                Answer::Ready => return Ok(()),
                Answer::Never(last) => {
                    let evidence = self.evidence(&life, probe, last, tries).await;
                    return Err(Error::NotReady {
                        container: target.name().to_owned(),
                        within,
                        evidence: Box::new(evidence),
                    });
                }
                Answer::Runs | Answer::NotYet(_) => {}
            }
            pause(wait.min(deadline.saturating_duration_since(Instant::now()))).await;
        }
    }

    async fn life(&self, reference: &str, what: &str) -> Result<Life, Error> {
        let mut root = self.inspect(reference, what).await?;
        let mut status = root.object("State");
        let mut health = status.object("Health");
        let last = health.array("Log").pop().map(Object::new);
        let mut host = root.object("HostConfig");
        let mode = host.text("NetworkMode");
        let mut policy = host.object("RestartPolicy");
        let restarts = root.number("RestartCount").unwrap_or_default();
        let mut state = decode::state(&mut status);
        if let State::Exited { code, .. } = state
            && self.server.dialect.between_starts == dialect::EXITED
            && goes_on(&mut policy, code, restarts)
        {
            state = State::Restarting { code };
        }
        let places = root.object("NetworkSettings").object("Networks").values();
        let addresses = places.map(Object::new);
        let mut addresses = addresses.filter_map(|mut place| {
            let length = place.number("IPPrefixLen")?.try_into().ok()?;
            Some((place.text("IPAddress")?.parse().ok()?, length))
        });
        let address = if mode.as_deref() == Some("host") {
            Some((IpAddr::from([127, 0, 0, 1]), 8))
        } else {
            addresses.next()
        };
        Ok(Life {
            id: root.text("Id").unwrap_or_default(),
            restarts,
            health: health.text("Status").and_then(|word| decode::health(&word)),
            health_test: root.object("Config").object("Healthcheck").texts("Test"),
            health_output: last.and_then(|mut last| last.text("Output")).unwrap_or_default(),
            state,
            started: decode::started(&mut status),
            address,
        })
    }

    async fn ask(&self, life: &Life, probe: &Probe, what: &str) -> Answer {
        match probe {
            Probe::Http { port, path } => {
                if let Some(answer) = self.dial(life, *port, Some(path)).await {
                    return answer;
                }
                self.ask_shell(life, &http_script(*port, path), what).await
            }
            Probe::Tcp { port } => {
                if let Some(answer) = self.dial(life, *port, None).await {
                    return answer;
                }
                self.ask_shell(life, &tcp_script(*port), what).await
            }
            Probe::Exec(argv) => self.ask_inside_container(life, argv, what).await,
            Probe::Image => self.ask_health(life, what).await,
            Probe::Exit => Answer::NotYet("still running".into()),
        }
    }

    /// Asks with a shell inside; where there is none, its health check has to do.
    async fn ask_shell(&self, life: &Life, argv: &[String], what: &str) -> Answer {
        match self.ask_inside_container(life, argv, what).await {
            Answer::NotYet(words) if is_without_shell(&words) => self.ask_health(life, what).await,
            answer => answer,
        }
    }

    /// Asks over the network; `None` when this container cannot be reached from here.
    async fn dial(&self, life: &Life, port: u16, path: Option<&String>) -> Option<Answer> {
        let (address, length) = life.address.filter(|_| self.wire.is_local())?;
        if !is_near(address, length) {
            return None;
        }
        match tokio::time::timeout(DIAL, TcpStream::connect((address, port))).await {
            Err(_) => None,
            Ok(Err(error)) => match error.kind() {
                std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
                    None
                }
                _ => Some(Answer::NotYet(error.to_string())),
            },
            Ok(Ok(stream)) => Some(match path {
                None => Answer::Ready,
                Some(path) => get(stream, port, path).await,
            }),
        }
    }

    async fn ask_health(&self, life: &Life, what: &str) -> Answer {
        let argv = match life.health_test.split_first() {
            None => return Answer::Runs,
            Some((kind, _)) if kind == "NONE" => return Answer::Runs,
            _ if life.health == Some(Health::Healthy) => return Answer::Ready,
            Some((kind, rest)) if kind == "CMD" => rest.to_vec(),
            Some((_, rest)) => {
                let shell = ["/bin/sh", "-c"].map(str::to_owned).into_iter();
                shell.chain(rest.iter().cloned()).collect()
            }
        };
        // The same question that the engine asks at its own leisure.
        self.ask_inside_container(life, &argv, what).await
    }

    async fn ask_inside_container(&self, life: &Life, argv: &[String], what: &str) -> Answer {
        let command = Command { argv, ..Command::default() };
        let run = self.run(&life.id, &command, what);
        match tokio::time::timeout(ANSWER, run).await {
            Err(_) => Answer::NotYet("no answer in time".into()),
            Ok(Err(error)) => Answer::NotYet(match error {
                Error::Refused { cause, .. } => cause.0,
                other => other.to_string(),
            }),
            Ok(Ok(ran)) if ran.code == 0 => Answer::Ready,
            Ok(Ok(ran)) => {
                let output = self.last_words(&ran);
                let last = output.lines().last().unwrap_or_default();
                Answer::NotYet(format!("exit {}: {last}", ran.code))
            }
        }
    }

    async fn evidence(&self, life: &Life, probe: &Probe, last: String, tries: u32) -> Evidence {
        let question = match probe {
            Probe::Http { port, path } => format!("GET :{port}{path}"),
            Probe::Tcp { port } => format!("connect to :{port}"),
            Probe::Exec(argv) => argv.join(" "),
            Probe::Image if life.health_test.is_empty() => "whether it keeps running".to_owned(),
            Probe::Image => "the image's health check".to_owned(),
            Probe::Exit => "exit code 0".to_owned(),
        };
        let state = match life.state {
            State::Exited { code, oom: true } => format!("exit {code}, out of memory"),
            State::Exited { code, oom: false } => format!("exit {code}, not out of memory"),
            State::Restarting { code } => format!("exit {code}, starting again"),
            other => other.to_string(),
        };
        let process = match life.restarts {
            0 => state,
            1 => format!("{state}, after 1 restart"),
            times => format!("{state}, after {times} restarts"),
        };
        Evidence {
            probe: self.keyring().scrub(&format!("{question} → {last}")),
            tries,
            process,
            health: self.keyring().scrub(life.health_output.trim()),
            log: self.log_tail(&life.id).await,
        }
    }

    /// A log that cannot be read is an empty one: it is shown beside another failure.
    async fn log_tail(&self, container: &str) -> Vec<String> {
        let tail = LOG_LINES.to_string();
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&tail).build();
        let pieces = self.api.logs(container, Some(options));
        let text = pieces.fold(String::new(), |text, piece| async move {
            text + &piece.map(|piece| piece.to_string()).unwrap_or_default()
        });
        let text = self.keyring().scrub(&text.await);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
    }
}

/// Returns how long to wait before the next question, after waiting for so long in all and a last question
/// that took so long.
///
/// What is seen late is late by a small part of what it took. A question inside a container costs the
/// engine a process in it, so that the pauses are no shorter than half of it: other services come up at
/// the same time.
fn pause_after(waited: Duration, question: Duration) -> Duration {
    (waited / 8).max(question / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// Returns whether this machine is on the container's network itself. A socket of this machine may lead
/// to an engine that has networks of its own, and something else may answer at their addresses here.
fn is_near(address: IpAddr, length: u32) -> bool {
    let IpAddr::V4(there) = address else { return true };
    // Nothing is sent: the system only chooses the address that it would send from.
    let chosen = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect((there, 9))?;
        socket.local_addr()
    });
    let Ok(IpAddr::V4(here)) = chosen.map(|chosen| chosen.ip()) else { return false };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or_default();
    here.to_bits() & mask == there.to_bits() & mask
}

/// Returns whether a process that ended is started again after so many times.
fn goes_on(policy: &mut Object, code: i64, restarts: i64) -> bool {
    let most = policy.number("MaximumRetryCount").filter(|most| *most > 0);
    match policy.text("Name").as_deref() {
        Some("always" | "unless-stopped") => true,
        Some("on-failure") => code != 0 && most.is_none_or(|most| restarts < most),
        _ => false,
    }
}

/// Returns what can be said without asking; `None` when it runs and is to be asked.
fn prospects(life: &Life, probe: &Probe, restarts_before: i64) -> Option<Answer> {
    if *probe == Probe::Exit && matches!(life.state, State::Exited { code: 0, .. }) {
        return Some(Answer::Ready);
    }
    if life.restarts - restarts_before >= CRASH_LOOP {
        return Some(Answer::Never("it crashes again and again".into()));
    }
    match life.state {
        State::Running => None,
        State::Paused => Some(Answer::NotYet("it is paused".into())),
        State::Restarting { .. } => Some(Answer::NotYet("it crashed and starts again".into())),
        State::Created => Some(Answer::Never("it was never started".into())),
        State::Exited { .. } | State::Dead => Some(Answer::Never("it ended".into())),
    }
}

async fn get(stream: TcpStream, port: u16, path: &str) -> Answer {
    let ask = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the request, whose sender is dropped.
        tokio::spawn(connection);
        let request = Request::get(path)
            .header(hyper::header::HOST, format!("localhost:{port}"))
            .header(hyper::header::USER_AGENT, "nself")
            .body(Empty::<Bytes>::new());
        match request {
            Ok(request) => sender.send_request(request).await.map(|answer| Ok(answer.status())),
            Err(error) => Ok(Err(error.to_string())),
        }
    };
    match tokio::time::timeout(ANSWER, ask).await {
        Err(_) => Answer::NotYet("no answer in time".into()),
        Ok(Err(error)) => Answer::NotYet(error.to_string()),
        Ok(Ok(Err(words))) => Answer::Never(words),
        Ok(Ok(Ok(status))) if status.is_success() || status.is_redirection() => Answer::Ready,
        Ok(Ok(Ok(status))) => Answer::NotYet(status.to_string()),
    }
}

/// Returns whether what came of running a shell says that there is none; each runtime has its words, and
/// Podman sometimes loses them. 127 is also what a shell ends with that has nothing to look with.
fn is_without_shell(words: &str) -> bool {
    let words = words.to_lowercase();
    words.starts_with("exit 127:") || words.contains("/bin/sh") && words.contains("no such file")
}

/// Asks with whatever the image has. Without any client a listening port has to do.
fn http_script(port: u16, path: &str) -> Vec<String> {
    let script = format!(
        "if command -v curl >/dev/null; then exec curl -fsS -o /dev/null -m 5 \"$1\"; fi; \
         if command -v wget >/dev/null; then exec wget -q -T 5 -O /dev/null \"$1\"; fi; {}",
        listens(port)
    );
    let url = format!("http://127.0.0.1:{port}{path}");
    ["/bin/sh".to_owned(), "-c".to_owned(), script, "sh".to_owned(), url].into()
}

fn tcp_script(port: u16) -> Vec<String> {
    ["/bin/sh".to_owned(), "-c".to_owned(), listens(port)].into()
}

/// In the kernel's table 0A is a socket that listens.
fn listens(port: u16) -> String {
    format!(
        "grep -Eqi '^ *[0-9]+: [0-9A-F]+:{port:04X} [0-9A-F]+:[0-9A-F]+ 0A' /proc/net/tcp /proc/net/tcp6"
    )
}
