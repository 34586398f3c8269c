//! Metrics, by the names that the documentation has.

use nself::sync::Result as Outcome;

use super::server::{Server, status};
use crate::case;

#[tokio::test]
async fn metrics_have_their_names() {
    let server = Server::start().await;
    let mut stream = server.stream("/events").await;
    stream.until("\n\n").await;
    let mut next = status();
    next.passes += 1;
    next.last.as_mut().unwrap().result = Outcome::Done;
    server.publish(next);
    // Both follow the same changes: what the page has, the counters have or are about to.
    stream.until("done").await;
    let answer = server.get("/metrics").await;
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.body.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    case::compare("web/metrics.txt", &text);
    let table = include_str!("../../../src/web/mod.rs");
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().unwrap();
        assert!(table.contains(&format!("`{name}")), "{name} is not documented");
    }
    server.end().await;
}
