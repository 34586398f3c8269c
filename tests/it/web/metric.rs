//! Metrics, by the names that the documentation has.

use nself::sync::Result as Outcome;

use super::server::{Server, status};
use crate::case;

#[tokio::test]
async fn metrics_have_their_names() {
    let server = Server::start().await;
    // What was published is counted in its own time, and one that follows too soon takes the place of it.
    counted(&server, "result=\"returned\"").await;
    let mut next = status();
    next.passes += 1;
    next.last.as_mut().unwrap().result = Outcome::Done;
    server.publish(next);
    counted(&server, "result=\"done\"").await;
    let answer = server.get("/metrics").await;
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.body.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    // Those that differ in their labels only come in any order.
    let mut lines: Vec<&str> = text.lines().collect();
    let of_passes = |line: &&str| line.starts_with("nself_passes_total{");
    for run in lines.chunk_by_mut(|one, next| of_passes(one) && of_passes(next)) {
        run.sort_unstable();
    }
    let text = lines.join("\n") + "\n";
    case::compare("web/metrics.txt", &text);
    let table = include_str!("../../../src/web/mod.rs");
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().unwrap();
        assert!(table.contains(&format!("`{name}")), "{name} is not documented");
    }
    server.end().await;
}

/// Comes back once the metrics say something.
async fn counted(server: &Server, what: &str) {
    while !server.get("/metrics").await.body.contains(what) {
        tokio::task::yield_now().await;
    }
}
