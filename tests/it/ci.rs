//! What `examples/ci` holds: its commands exist, and its script keeps one comment a page.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci")
}

/// Returns the scripts of a pipeline: every text that stands behind `run` or in `script`.
fn scripts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let lines = value.as_array().into_iter().flatten();
                match key.as_str() {
                    "run" => found.extend(value.as_str().map(str::to_owned)),
                    "script" | "before_script" | "after_script" => {
                        found.extend(lines.filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => scripts(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| scripts(item, found)),
        _ => {}
    }
}

#[test]
fn the_pipelines_use_commands_that_exist() {
    for file in ["github.yml", "gitlab.yml"] {
        let text = fs::read_to_string(folder().join(file)).unwrap();
        let pipeline: Value = serde_saphyr::from_str(&text).unwrap();
        let mut all = Vec::new();
        scripts(&pipeline, &mut all);
        let lines = all.iter().flat_map(|script| script.lines()).map(str::trim);
        let commands: Vec<&str> = lines.filter(|line| line.starts_with("nself ")).collect();
        assert_eq!(commands.len(), 3, "{file}: {commands:?}");
        for command in commands {
            let words =
                command.split([' ']).skip(1).take_while(|word| !matches!(*word, ">" | "||"));
            // With --help everything before it is still read.
            let read = Command::new(env!("CARGO_BIN_EXE_nself"))
                .args(words)
                .args(["--file", "/nowhere/nself.toml"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&[read.stdout, read.stderr].concat()).into_owned();
            assert!(said.contains("/nowhere/nself.toml"), "{file}: {command}: {said}");
            assert_eq!(read.status.code(), Some(3), "{file}: {command}: {said}");
        }
    }
}

/// A code host with the three calls that the script makes.
#[derive(Default)]
struct Host {
    /// The comments by id.
    comments: BTreeMap<u64, String>,
    /// The calls that were made.
    calls: Vec<String>,
}

/// Starts a host; returns its address.
fn host(comments: BTreeMap<u64, String>) -> (String, Arc<Mutex<Host>>) {
    let host = Arc::new(Mutex::new(Host { comments, calls: Vec::new() }));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shared = Arc::clone(&host);
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &mut shared.lock().unwrap());
        }
    });
    (address, host)
}

fn answer(mut stream: TcpStream, host: &mut Host) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let length = header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let [method, target, _] = head[0].split(' ').collect::<Vec<_>>()[..] else {
        panic!("{head:?}")
    };
    let is_known = header("authorization").as_deref() == Some("Bearer t0ken")
        || header("private-token").as_deref() == Some("t0ken");
    host.calls.push(format!("{method} {target}"));
    let text = || {
        let body: Value = serde_json::from_slice(&body).unwrap();
        body["body"].as_str().unwrap().to_owned()
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let last: Option<u64> = path.rsplit('/').next().and_then(|word| word.parse().ok());
    let (status, said) = match (method, last) {
        _ if !is_known => ("401 Unauthorized", json!({ "message": "no" })),
        ("GET", None) => {
            let page: usize = query.rsplit('=').next().unwrap().parse().unwrap();
            let all = host.comments.iter().map(|(id, body)| json!({ "id": id, "body": body }));
            ("200 OK", all.skip((page - 1) * 100).take(100).collect())
        }
        ("POST", None) => {
            let id = host.comments.keys().last().unwrap_or(&0) + 1;
            host.comments.insert(id, text());
            ("201 Created", json!({ "id": id }))
        }
        ("PATCH" | "PUT", Some(id)) => {
            host.comments.insert(id, text());
            ("200 OK", json!({ "id": id }))
        }
        _ => ("404 Not Found", json!({})),
    };
    let said = said.to_string();
    let length = said.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{said}");
    stream.write_all(answer.as_bytes()).unwrap();
}

fn comment(kind: &str, key: &str, text: &str, address: &str, token: &str) -> Output {
    let scratch = tempfile::tempdir().unwrap();
    let page = scratch.path().join("page.md");
    fs::write(&page, text).unwrap();
    Command::new(folder().join("comment"))
        .args([kind, key])
        .arg(&page)
        .env("GITHUB_API_URL", address)
        .env("GITHUB_REPOSITORY", "acme/shop")
        .env("GITHUB_TOKEN", token)
        .env("PULL_REQUEST", "7")
        .env("CI_API_V4_URL", address)
        .env("CI_PROJECT_ID", "5")
        .env("CI_MERGE_REQUEST_IID", "7")
        .env("GITLAB_TOKEN", token)
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap()
}

/// Calls the script and returns what it said.
fn said(kind: &str, key: &str, text: &str, address: &str) -> String {
    let output = comment(kind, key, text, address, "t0ken");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    said.trim().to_owned()
}

#[test]
fn a_page_is_one_comment_however_often_it_is_written() {
    for (kind, change, comments, one) in [
        (
            "github",
            "PATCH",
            "/repos/acme/shop/issues/7/comments",
            "/repos/acme/shop/issues/comments",
        ),
        (
            "gitlab",
            "PUT",
            "/projects/5/merge_requests/7/notes",
            "/projects/5/merge_requests/7/notes",
        ),
    ] {
        // Somebody quotes the marker, and ours comes to lie on the second page.
        let others = (1..=100).map(|id| (id, format!("> <!-- nself-page plan-prod -->\n{id}")));
        let (address, host) = host(others.collect());
        let page = "<!-- nself plan shop -->\n### \"plan\" \\ `a` ü\n";
        assert_eq!(said(kind, "plan-prod", page, &address), "made comment 101");
        assert_eq!(said(kind, "plan-prod", "### failed\n", &address), "updated comment 101");
        assert_eq!(said(kind, "plan-dev", page, &address), "made comment 102");
        assert_eq!(said(kind, "plan-prod", page, &address), "updated comment 101");
        let host = host.lock().unwrap();
        assert_eq!(host.comments.len(), 102);
        assert_eq!(host.comments[&101], format!("<!-- nself-page plan-prod -->\n{page}"));
        assert!(host.calls.contains(&format!("{change} {one}/101")), "{:?}", host.calls);
        assert!(host.calls.contains(&format!("GET {comments}?per_page=100&page=2")));
    }
}

#[test]
fn a_refused_token_is_said_and_never_shown() {
    let (address, host) = host(BTreeMap::new());
    let output = comment("github", "plan", "text\n", &address, "wr0ng");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("may the token write comments?"), "{said}");
    assert!(!said.contains("wr0ng") && host.lock().unwrap().comments.is_empty());
    for (key, text) in [("a b", "text"), ("plan", "")] {
        assert!(!comment("github", key, text, &address, "t0ken").status.success());
    }
}
