//! Files with saved plans.

use nself::{
    model::Digest,
    plan::{Gist, Saved, Unreadable},
    report,
};
use serde_json::Value as Json;

/// Reads the file as it is, and once more with the checksum it ought to have: whoever changes a file may
/// change that, too.
///
/// # Panics
/// When a plan does not read back, differs from itself, or when a damaged one is taken.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Saved::parse(text) {
        Ok(saved) => sound(&saved),
        Err(why) => quiet(&why, text),
    }
    let Ok(mut whole) = serde_json::from_str::<Json>(text) else { return };
    let Some(plan) = whole.get("plan") else { return };
    let checksum = format!("sha256:{}", Digest::of(plan.to_string().as_bytes()));
    whole["checksum"] = checksum.into();
    match Saved::parse(&whole.to_string()) {
        Ok(saved) => sound(&saved),
        Err(why) => quiet(&why, text),
    }
}

fn sound(saved: &Saved) {
    let text = saved.to_text();
    assert_eq!(Saved::parse(&text).as_ref(), Ok(saved), "it reads back");
    let damaged = text.replacen("\"at\": ", "\"at\": 1", 1);
    let read = Saved::parse(&damaged);
    assert!(matches!(read, Err(Unreadable::Damaged | Unreadable::Foreign)), "{read:?}");
    let gist = &saved.gist;
    assert_eq!(gist.moved(gist), [], "a plan is like itself");
    let mut fewer = gist.clone();
    fewer.steps.pop();
    let mut other = gist.clone();
    for step in &mut other.steps {
        step.with = "0".repeat(64);
    }
    for now in [Gist::default(), fewer, other] {
        for moved in gist.moved(&now).iter().chain(&now.moved(gist)) {
            let line = report::moved(moved);
            assert!(
                !line.contains(|c: char| c.is_control() && c != '\t'),
                "drives a terminal: {line:?}"
            );
        }
    }
}

/// An error says nothing of what stands in the file.
fn quiet(why: &Unreadable, text: &str) {
    let shown = why.to_string();
    assert!(shown.len() < 120, "{shown}");
    if let Unreadable::Newer { found } = why {
        assert!(text.contains("nself_plan") && *found > 1, "{shown}");
    }
}
