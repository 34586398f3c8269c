//! An engine that is played from what one said: each question that was asked of it is answered as it was.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

/// A socket behind which somebody answers from a script.
pub(super) struct Played {
    folder: tempfile::TempDir,
    unknown: Arc<Mutex<Vec<String>>>,
}

/// A question, as it came.
struct Asked {
    ask: String,
    query: String,
    body: Json,
}

impl Played {
    /// Answers from questions and answers.
    pub(super) fn from(script: &str) -> Self {
        let script: Vec<Json> = serde_json::from_str(script).unwrap();
        let (script, unknown) = (Arc::new(script), Arc::default());
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let heard = Arc::clone(&unknown);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (script, heard) = (Arc::clone(&script), Arc::clone(&heard));
                std::thread::spawn(move || serve(client, &script, &heard));
            }
        });
        Self { folder, unknown }
    }

    pub(super) fn address(&self) -> String {
        format!("unix://{}/engine.sock", self.folder.path().display())
    }

    /// Returns the questions that nobody asked when the script was written.
    pub(super) fn unknown(&self) -> Vec<String> {
        self.unknown.lock().unwrap().clone()
    }
}

fn serve(client: UnixStream, script: &[Json], unknown: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut writer = client;
    while let Some(asked) = next(&mut reader) {
        let note = find(script, &asked);
        if note.is_some_and(|note| note.get("streams").is_some()) {
            // Whoever hung up has heard enough.
            let _ = note.map(|note| stream(&mut reader, &mut writer, note));
            return;
        }
        let whole = match note {
            Some(note) => answer(note),
            // A file that is in no archive was not there.
            None if asked.ask.ends_with("/archive") => {
                response(404, "", br#"{"message": "no such file"}"#, &asked.ask)
            }
            None if let Some(whole) = in_other_words(script, &asked) => whole,
            None => {
                let question = format!("{}?{} {}", asked.ask, asked.query, asked.body);
                unknown.lock().unwrap().push(question);
                let why = json!({"message": "nobody asked this when the script was written"});
                response(501, "", why.to_string().as_bytes(), &asked.ask)
            }
        };
        if writer.write_all(&whole).is_err() {
            return;
        }
    }
}

/// Reads a request; `None` at the end.
fn next(reader: &mut BufReader<UnixStream>) -> Option<Asked> {
    let line = line(reader)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?);
    // `/v1.41` is how the question is put, not what is asked.
    let path = match path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) {
        Some((version, rest)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("/{rest}")
        }
        _ => path.to_owned(),
    };
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let asked = (format!("{method} {path}"), query.to_owned());
    let mut length = 0;
    loop {
        let header = self::line(reader)?;
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Asked { ask: asked.0, query: asked.1, body })
}

fn line(reader: &mut BufReader<UnixStream>) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

fn find<'a>(script: &'a [Json], asked: &Asked) -> Option<&'a Json> {
    let mut notes = script.iter().filter(|note| note["ask"] == *asked.ask);
    if asked.ask.ends_with("/archive") {
        return notes.find(|note| note["query"] == *asked.query);
    }
    if asked.ask.ends_with("/exec") {
        return notes.find(|note| note["body"]["Cmd"] == asked.body["Cmd"]);
    }
    // Lists are asked for in one way; later versions may put it in other words.
    let all: Vec<_> = notes.collect();
    let exact = all.iter().find(|note| note["query"] == *asked.query);
    exact.or(all.first()).copied()
}

/// Answers what is asked otherwise than it was when the script was written, from what was said then.
fn in_other_words(script: &[Json], asked: &Asked) -> Option<Vec<u8>> {
    let told =
        |ask: &str| script.iter().find(|note| note["ask"] == ask).map(|note| &note["answer"]);
    if asked.ask == "GET /_ping" {
        let version = told("GET /version")?;
        let text = |key: &str| version[key].as_str();
        let (api, version) = (text("ApiVersion")?, text("Version")?);
        let headers = format!("Api-Version: {api}\r\nServer: Docker/{version} (linux)\r\n");
        return Some(response(200, &headers, b"OK", &asked.ask));
    }
    // An image by its name: then it was found in the list of all.
    let name = asked.ask.strip_prefix("GET /images/")?.strip_suffix("/json")?;
    let listed = told("GET /images/json")?.as_array()?.iter().find(|image| {
        let names =
            [&image["RepoTags"], &image["RepoDigests"]].into_iter().filter_map(Json::as_array);
        names.flatten().any(|known| known == name)
    });
    let Some(listed) = listed else {
        return Some(response(404, "", br#"{"message": "no such image"}"#, &asked.ask));
    };
    let id = listed["Id"].as_str()?;
    let mut image = told(&format!("GET /images/{id}/json")).cloned().unwrap_or_default();
    for key in ["Id", "RepoTags", "RepoDigests", "Size"] {
        image[key] = listed[key].clone();
    }
    Some(response(
        200,
        "Content-Type: application/json\r\n",
        image.to_string().as_bytes(),
        &asked.ask,
    ))
}

fn answer(note: &Json) -> Vec<u8> {
    let mut headers = String::new();
    if let Some(stat) = note.get("stat") {
        let stat = STANDARD.encode(stat.to_string());
        headers.push_str(&format!("X-Docker-Container-Path-Stat: {stat}\r\n"));
    }
    if let Some(version) = note["api"].as_str() {
        headers.push_str(&format!("Api-Version: {version}\r\n"));
    }
    let body = if let Some(entries) = note["archive"].as_array() {
        headers.push_str("Content-Type: application/x-tar\r\n");
        archive(entries)
    } else if let Some(answer) = note.get("answer") {
        headers.push_str("Content-Type: application/json\r\n");
        answer.to_string().into_bytes()
    } else {
        note["text"].as_str().unwrap_or_default().as_bytes().to_vec()
    };
    response(note["status"].as_u64().unwrap(), &headers, &body, note["ask"].as_str().unwrap())
}

fn response(status: u64, headers: &str, body: &[u8], ask: &str) -> Vec<u8> {
    let length = body.len();
    let mut whole =
        format!("HTTP/1.1 {status} So\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    if !ask.starts_with("HEAD ") {
        whole.extend_from_slice(body);
    }
    whole
}

/// Returns the archive that an engine hands out for a folder with these files.
fn archive(entries: &[Json]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let number = |name: &str| entry[name].as_u64().unwrap();
        let text = entry["text"].as_str().unwrap_or_default();
        let mut header = tar::Header::new_gnu();
        header.set_mode(number("mode").try_into().unwrap());
        header.set_uid(number("uid"));
        header.set_gid(number("gid"));
        header.set_mtime(number("mtime"));
        header.set_size(text.len() as u64);
        let path = entry["path"].as_str().unwrap();
        match entry["kind"].as_str().unwrap() {
            "file" => header.set_entry_type(tar::EntryType::Regular),
            "folder" => header.set_entry_type(tar::EntryType::Directory),
            "link" => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name(entry["target"].as_str().unwrap()).unwrap();
            }
            other => panic!("{other}"),
        }
        builder.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Plays a command that ran: everything it is told, then everything it said.
fn stream(
    reader: &mut BufReader<UnixStream>,
    writer: &mut UnixStream,
    note: &Json,
) -> std::io::Result<()> {
    let status = note["status"].as_u64().unwrap();
    write!(
        writer,
        "HTTP/1.1 {status} UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
         Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    )?;
    reader.read_to_end(&mut Vec::new())?;
    for piece in note["streams"].as_array().unwrap() {
        let text = piece["text"].as_str().unwrap().as_bytes();
        let number = u8::try_from(piece["stream"].as_u64().unwrap()).unwrap();
        writer.write_all(&[number, 0, 0, 0])?;
        writer.write_all(&u32::try_from(text.len()).unwrap().to_be_bytes())?;
        writer.write_all(text)?;
    }
    writer.shutdown(std::net::Shutdown::Both)
}
