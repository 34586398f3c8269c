//! The page as it is sent.

use std::sync::Arc;

use nself::{
    sync::{Status, Sync},
    web::page,
};

use super::server::{NOW, revision, status};
use crate::case;

fn whole(status: Status) -> String {
    let named = ("shop".to_owned(), Arc::new(status));
    page::whole(Some(&named), std::slice::from_ref(&named), "", NOW, "NONCE")
}

#[test]
fn everything_is_told() {
    case::compare("web/page.html", &whole(status()));
}

#[test]
fn little_is_told_when_all_is_well() {
    let well = Status {
        project: "shop".into(),
        sync: Sync::InSync,
        head: Some(revision("a", "Search in titles too")),
        applied: Some(revision("a", "Search in titles too")),
        generation: 12,
        ..Status::default()
    };
    case::compare("web/quiet.html", &page::body(&well, NOW));
}

#[test]
fn foreign_names_stay_text() {
    let evil = "\"'><script>alert(1)</script>&amp;\u{202e}\u{7}";
    let mut hostile = status();
    hostile.project = evil.into();
    hostile.source = evil.into();
    let head = hostile.head.as_mut().unwrap();
    (head.subject, head.author, head.reference) = (evil.into(), evil.into(), evil.into());
    hostile.quarantine.as_mut().unwrap().why = evil.into();
    let pause = hostile.pause.as_mut().unwrap();
    (pause.who, pause.why) = (evil.into(), evil.into());
    for one in &mut hostile.differences {
        (one.id, one.what, one.reason) = (evil.into(), evil.into(), evil.into());
        one.fields = vec![evil.into()];
    }
    let held = &mut hostile.held[0];
    (held.id, held.what, held.release) = (evil.into(), evil.into(), evil.into());
    let service = &mut hostile.services[0];
    (service.name, service.state) = (evil.into(), evil.into());
    service.url = Some("javascript:alert(1)".into());
    hostile.services[1].url = Some(format!("https://{evil}"));
    hostile.trouble = vec![evil.into()];
    hostile.last.as_mut().unwrap().line = evil.into();
    let named = (evil.to_owned(), Arc::new(hostile));
    let all = [named.clone(), ("other".to_owned(), Arc::new(status()))];
    let page = page::whole(Some(&named), &all, "", NOW, "NONCE");
    assert!(!page.contains("<script>") && !page.contains('\u{202e}') && !page.contains('\u{7}'));
    assert!(!page.contains("href=\"javascript"));
    assert_eq!(page.matches("<script nonce=\"NONCE\">").count(), 1);
    assert!(page.matches("&lt;script&gt;").count() > 20);
    case::compare("web/hostile.html", &page::body(&named.1, NOW));
}
