//! Mistakes in how one sees that a service is ready.

use crate::{
    model::{Diagnostic, ServiceName},
    spec::{Health, Service},
};

/// Adds what is wrong with `health` of a service.
pub(super) fn check(name: &ServiceName, service: &Service, problems: &mut Vec<Diagnostic>) {
    let Some(Health { http, tcp, command, interval, timeout, retries, start_period }) =
        &service.settings.health
    else {
        return;
    };
    let tcp = tcp.as_ref().filter(|tcp| tcp.value);
    let ways = [
        http.as_ref().map(|http| &http.origin),
        tcp.map(|tcp| &tcp.origin),
        command.as_ref().map(|command| &command.origin),
    ];
    let mut ways = ways.into_iter().flatten();
    let first = ways.next();
    if let (Some(first), Some(second)) = (first, ways.next()) {
        let message = format!("the health of `{name}` is seen in two ways");
        problems.push(
            Diagnostic::error("health-twice", message)
                .at(second, "")
                .at(first, "")
                .help("keep one of `http`, `tcp` and `command`"),
        );
    }
    if let Some(first) = first.filter(|_| service.kind().is_job) {
        let problem =
            Diagnostic::error("bad-job", "a job is healthy when it ends with exit code 0");
        problems.push(problem.at(first, ""));
        return;
    }
    if let Some(http) = http
        && !http.value.starts_with('/')
    {
        let problem = Diagnostic::error("bad-value", format!("`{}` is not a path", http.value));
        problems.push(problem.at(&http.origin, "begins with `/`, such as \"/healthz\""));
    }
    let asks_port = http.as_ref().map(|http| &http.origin).or(tcp.map(|tcp| &tcp.origin));
    if let Some(origin) = asks_port.filter(|_| service.port().is_none()) {
        let message = format!("`{name}` has no `port` to ask for its health");
        problems.push(
            Diagnostic::error("no-port", message)
                .at(origin, "")
                .help("say on which port it answers: port = 8000"),
        );
    }
    if let Some(command) = command.as_ref().filter(|command| command.value.is_empty()) {
        let problem = Diagnostic::error("empty", "an empty command tells nothing");
        problems.push(problem.at(&command.origin, ""));
    }
    // The engine's clock starts with a check of its own; a probe of ours needs none of these.
    if first.is_none() && service.kind().image.is_none() {
        let times = [interval, timeout, start_period].map(|time| time.as_ref().map(|t| &t.origin));
        let retries = retries.as_ref().map(|retries| &retries.origin);
        if let Some(origin) = times.into_iter().chain([retries]).flatten().next() {
            let message = format!("nothing says how the health of `{name}` is seen");
            problems.push(
                Diagnostic::warning("no-effect", message)
                    .at(origin, "has no effect by itself")
                    .help("add one of `http`, `tcp` and `command`"),
            );
        }
    }
}
