//! The machine on the real engine of this machine, behind a socket that can be closed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    path::PathBuf,
};

use nself::{
    controller::Project,
    engine::{Error, docker::Docker},
    model::ResourceId,
    observed::{Record, label},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    file::{File, Keeps, Name, Naming, Tag},
    ground::{Doing, Ground, Kept, Look, Pictures, Seen, Whose, project},
    story::{Act, Stranger},
};
use crate::docker::stage::{BASE, SOCKET, Stage, docker, try_docker};

pub(super) struct OnDocker {
    naming: Naming,
    line: Option<CancellationToken>,
    // Goes last, and takes with it all that is named after it.
    stage: Stage,
}

impl Ground for OnDocker {
    type Engine = Docker;

    fn new() -> Self {
        let stage = Stage::new("machine");
        let ports = [(); 2].map(|()| crate::port::free());
        let naming = Naming { project: stage.name.clone(), ports };
        for number in 0..3 {
            build(&format!("{}-img:c{number}", stage.name), &format!("LABEL content={number}"));
        }
        build(&naming.image(Tag::Bad), "ENTRYPOINT [\"/bin/false\"]");
        let mut ground = Self { naming, line: None, stage };
        ground.tag(Tag::One, 0);
        ground.tag(Tag::Two, 1);
        ground.set_down(false);
        ground
    }

    fn naming(&self) -> &Naming {
        &self.naming
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.stage.block_on(future)
    }

    fn read(&self, file: &File) -> Project {
        project(&file.text(&self.naming), self.stage.place())
    }

    fn connect(&self, project: &Project) -> Result<Docker, Error> {
        let address = format!("unix://{}", self.socket().display());
        self.run(Docker::connect(&address, project.keyring.clone()))
    }

    fn set_down(&mut self, down: bool) {
        if let Some(line) = self.line.take() {
            line.cancel();
            std::fs::remove_file(self.socket()).unwrap();
        }
        if !down {
            let line = CancellationToken::new();
            self.stage.block_on(async {
                let listener = tokio::net::UnixListener::bind(self.socket()).unwrap();
                self.stage.spawn(carry(listener, line.clone()));
            });
            self.line = Some(line);
        }
    }

    fn act(&mut self, act: &Act) {
        let project = self.naming.project.clone();
        let container = |name: &Name| self.naming.container(*name);
        // What the engine refuses is not done.
        let attempt = |words: &[&str]| try_docker(words).is_ok();
        match act {
            Act::Kill(name) => _ = attempt(&["kill", &container(name)]),
            Act::Stop(name) => _ = attempt(&["stop", "-t", "1", &container(name)]),
            Act::Start(name) => _ = attempt(&["start", &container(name)]),
            Act::Pause(name) => _ = attempt(&["pause", &container(name)]),
            Act::Rename(name) => {
                let to = format!("{}-elsewhere", container(name));
                attempt(&["rename", &container(name), &to]);
            }
            Act::Remove(name) => _ = attempt(&["rm", "-f", &container(name)]),
            Act::Limit(name, to) => {
                let (memory, swap) = (format!("{}m", to + 7), format!("{}m", 2 * (to + 7)));
                let words = ["update", "--memory", &memory, "--memory-swap", &swap];
                attempt(&[&words[..], &[&container(name)]].concat());
            }
            Act::Restart(name) => {
                attempt(&["update", "--restart", "always", &container(name)]);
            }
            Act::Detach(name) => {
                attempt(&["network", "disconnect", "-f", &project, &container(name)]);
            }
            Act::Alias(name) => {
                if attempt(&["network", "disconnect", "-f", &project, &container(name)]) {
                    let words = ["network", "connect", "--alias", "another", &project];
                    attempt(&[&words[..], &[&container(name)]].concat());
                }
            }
            Act::Attach(name) => {
                let theirs = format!("mart-{project}");
                attempt(&["network", "create", &theirs]);
                attempt(&["network", "connect", &theirs, &container(name)]);
            }
            Act::Copy(name) => {
                let to = format!("{}-copy", container(name));
                self.by_hand(*name, "create", &to, &[], true);
            }
            Act::Label(name) => {
                self.by_hand(*name, "run", &container(name), &["--label", "by-hand=yes"], true);
            }
            Act::Unlabel(name) => self.by_hand(*name, "run", &container(name), &[], false),
            Act::RemoveNetwork => remove_network(&project),
            Act::RemoveVolume(name, keeps) => {
                attempt(&["volume", "rm", &self.naming.volume(*name, *keeps)]);
            }
            Act::Forget => {
                for (name, _) in records(&self.volumes()) {
                    attempt(&["volume", "rm", &name]);
                }
            }
            Act::MoveTag(tag, to) => self.tag(*tag, *to),
            Act::Write(name, word) => {
                let write = format!("test -d /data && echo {word} >/data/word");
                attempt(&["exec", &container(name), "sh", "-c", &write]);
            }
            Act::Stranger(stranger) => self.make(*stranger),
            Act::StrangersGo => self.clear_strangers(),
        }
    }

    fn look(&self) -> Look {
        let (containers, volumes) = (self.containers(), self.volumes());
        let record = records(&volumes).pop().map(|(_, record)| record);
        let adopted = record.iter().flat_map(|record| record.adopted.values());
        let adopted: BTreeSet<String> = adopted.cloned().collect();
        let is_adopted = |id: &String| adopted.contains(id);
        let is_helper = |one: &&Value| one["Config"]["Labels"][label::HELPER].is_string();
        Look {
            is_locked: containers.iter().any(|one| is_helper(&one)),
            containers: containers
                .iter()
                .filter(|one| !is_helper(one))
                .map(|one| self.seen(one, record.as_ref()))
                .collect(),
            networks: self
                .networks()
                .iter()
                .map(|one| {
                    let (name, id) = (text(&one["Name"]), text(&one["Id"]));
                    let whose =
                        if is_adopted(&id) { Whose::Ours } else { self.whose(&one["Labels"]) };
                    (name, id, whose)
                })
                .collect(),
            volumes: volumes
                .iter()
                .filter(|one| !is_record(one))
                .map(|one| {
                    let word = PathBuf::from(text(&one["Mountpoint"])).join("word");
                    let word = std::fs::read_to_string(word).ok();
                    let word = word.map(|word| word.trim().to_owned());
                    let (name, id) = (text(&one["Name"]), text(&one["CreatedAt"]));
                    let is_ours = is_adopted(&name) || self.whose(&one["Labels"]) == Whose::Ours;
                    let whose = if is_ours { Whose::Ours } else { Whose::Theirs };
                    (name, Kept { whose, id, word })
                })
                .collect(),
            record,
        }
    }

    fn everything(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for mut one in self.containers() {
            let id = text(&one["Id"]);
            if one["RestartCount"] != 0 {
                // It goes on crashing, whoever looks.
                for volatile in ["State", "RestartCount", "NetworkSettings", "ResolvConfPath"] {
                    one[volatile].take();
                }
            }
            all.insert(format!("container {id}"), one.to_string());
        }
        for mut one in self.networks() {
            // Told of those that run only.
            one["Containers"].take();
            all.insert(format!("network {}", text(&one["Id"])), one.to_string());
        }
        for one in self.volumes() {
            all.insert(format!("volume {}", text(&one["Name"])), one.to_string());
        }
        let tags = [Tag::One, Tag::Two].map(|tag| self.naming.image(tag));
        let images = tags.map(|tag| text(&get(&format!("/images/{tag}/json"))["Id"]));
        all.insert("images".to_owned(), images.join(" "));
        all
    }

    fn fresh(&self, _: &File, _: &BTreeSet<Name>) -> Option<Pictures> {
        None
    }

    fn everything_named(&self) -> Pictures {
        Pictures::new()
    }
}

impl OnDocker {
    fn socket(&self) -> PathBuf {
        self.stage.folder().join("engine.sock")
    }

    fn tag(&self, tag: Tag, number: u8) {
        let content = format!("{}-img:c{number}", self.naming.project);
        docker(&["tag", &content, &self.naming.image(tag)]);
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let filter = serde_json::json!({ "name": [self.naming.project] }).to_string();
        let filter = filter.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        let listed = get(&format!("{path}{filter}"));
        let listed = if path.contains("volumes") { &listed["Volumes"] } else { &listed };
        listed.as_array().cloned().unwrap_or_default()
    }

    fn containers(&self) -> Vec<Value> {
        let all = self.list("/containers/json?all=1&filters=");
        let all = all.iter().map(|one| get(&format!("/containers/{}/json", text(&one["Id"]))));
        // One that goes between the two questions is not there.
        all.filter(|one| one["Id"].is_string()).collect()
    }

    fn networks(&self) -> Vec<Value> {
        let all = self.list("/networks?filters=");
        all.iter().map(|one| get(&format!("/networks/{}", text(&one["Id"])))).collect()
    }

    fn volumes(&self) -> Vec<Value> {
        self.list("/volumes?filters=")
    }

    fn whose(&self, labels: &Value) -> Whose {
        let ours = labels[label::PROJECT] == self.naming.project.as_str();
        if ours { Whose::Ours } else { Whose::Theirs }
    }

    fn seen(&self, one: &Value, record: Option<&Record>) -> Seen {
        let (id, state, host) = (text(&one["Id"]), &one["State"], &one["HostConfig"]);
        let labels = &one["Config"]["Labels"];
        let whose = self.whose(labels);
        let mut adopted = record.iter().flat_map(|record| &record.adopted);
        let adopted = adopted.find(|(_, adopted)| **adopted == id).map(|(id, _)| id.clone());
        let claimed = labels[label::RESOURCE].as_str().filter(|_| whose == Whose::Ours);
        let claimed = claimed.and_then(|text| text.parse::<ResourceId>().ok());
        let mut env = one["Config"]["Env"].as_array().into_iter().flatten();
        let mounts = one["Mounts"].as_array().into_iter().flatten();
        let networks = one["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
        let aliases = |network: &Value| {
            let all = network["Aliases"].as_array().into_iter().flatten().map(text);
            all.filter(|alias| !id.starts_with(alias)).collect::<BTreeSet<_>>()
        };
        Seen {
            name: text(&one["Name"]).trim_start_matches('/').to_owned(),
            whose: if adopted.is_some() { Whose::Ours } else { whose },
            resource: adopted.or(claimed),
            doing: match text(&state["Status"]).as_str() {
                "running" => Doing::Runs,
                "paused" => Doing::Paused,
                "exited" => Doing::Ended(state["ExitCode"].as_i64().unwrap()),
                _ => Doing::Other,
            },
            started: text(&state["StartedAt"]),
            image: text(&one["Image"]),
            level: env.find_map(|one| one.as_str()?.strip_prefix("LEVEL=").map(str::to_owned)),

            memory: host["Memory"].as_u64().filter(|memory| *memory > 0),
            restart: text(&host["RestartPolicy"]["Name"]).replace("no", ""),
            networks: networks.map(|(name, one)| (name.clone(), aliases(one))).collect(),
            data: mounts
                .filter(|mount| mount["Destination"] == "/data")
                .map(|mount| text(&mount["Name"]))
                .next(),
            id,
        }
    }

    /// Makes a service's container by hand, as alike as a person manages to.
    fn by_hand(&self, name: Name, verb: &str, to: &str, more: &[&str], labelled: bool) {
        let container = self.naming.container(name);
        let there = get(&format!("/containers/{container}/json"));
        if !there["Id"].is_string() {
            return;
        }
        let seen = self.seen(&there, None);
        let mut words: Vec<String> = [verb, "--init", "--name", to].map(str::to_owned).into();
        if verb == "run" {
            try_docker(&["rm", "-f", &container]).unwrap();
            words.push("-d".into());
        }
        for (key, value) in there["Config"]["Labels"].as_object().into_iter().flatten() {
            if labelled {
                words.extend(["--label".into(), format!("{key}={}", text(value))]);
            }
        }
        let network = seen.networks.contains_key(&self.naming.project);
        let network = if network { self.naming.project.as_str() } else { "none" };
        words.extend(["--network".into(), network.into()]);
        if network != "none" {
            words.extend(["--network-alias".into(), name.text().into()]);
        }
        if let Some(level) = seen.level {
            words.extend(["-e".into(), format!("LEVEL={level}")]);
        }
        if let Some(data) = seen.data {
            words.extend(["-v".into(), format!("{data}:/data")]);
        }
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words.extend([seen.image, "sleep".into(), "infinity".into()]);
        let _ = try_docker(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn make(&self, stranger: Stranger) {
        let project = &self.naming.project;
        let (name, more): (String, Vec<String>) = match stranger {
            Stranger::Elsewhere => (format!("mart-{project}-web"), vec![]),
            Stranger::OtherProject(name) => {
                let resource = ResourceId::Container(self.naming.container(name));
                let labels = [
                    format!("--label={}=mart", label::PROJECT),
                    format!("--label={}={resource}", label::RESOURCE),
                ];
                (format!("mart-{project}-{}", name.text()), labels.into())
            }
            Stranger::AtName(name) => (self.naming.container(name), vec![]),
            Stranger::AtNext(name) => (format!("{}.next", self.naming.container(name)), vec![]),
            Stranger::Guest => (format!("mart-{project}-guest"), vec![]),
            Stranger::OnPort(port) => {
                let port_here = self.naming.ports[usize::from(port)];
                let publish = vec![format!("--publish=127.0.0.1:{port_here}:80")];
                (format!("mart-{project}-port-{port}"), publish)
            }
            Stranger::Volume(name) => {
                let volume = self.naming.volume(name, Keeps::Data);
                let _ = try_docker(&["volume", "create", &volume]);
                return;
            }
            Stranger::Network => {
                let _ = try_docker(&["network", "create", project]);
                return;
            }
        };
        let network = match stranger {
            Stranger::Guest => project.as_str(),
            Stranger::OnPort(_) => "bridge",
            _ => "none",
        };
        let mut words = vec!["run", "-d", "--init", "--name", &name, "--network", network];
        words.extend(more.iter().map(String::as_str));
        words.extend([BASE, "sleep", "infinity"]);
        let _ = try_docker(&words);
    }

    fn clear_strangers(&self) {
        let look = self.look();
        for seen in look.containers.iter().filter(|seen| seen.whose == Whose::Theirs) {
            let _ = try_docker(&["rm", "-f", &seen.id]);
        }
        let kept = look.record.iter().flat_map(|record| record.adopted.values());
        let kept: BTreeSet<&String> = kept.collect();
        for (name, volume) in &look.volumes {
            if volume.whose == Whose::Theirs && !kept.contains(name) {
                let _ = try_docker(&["volume", "rm", name]);
            }
        }
        for (_, id, whose) in &look.networks {
            if *whose == Whose::Theirs && !kept.contains(id) {
                remove_network(id);
            }
        }
    }
}

impl Drop for OnDocker {
    fn drop(&mut self) {
        let name = format!("{}-img", self.naming.project);
        for tag in ["1", "2", "bad", "c0", "c1", "c2"] {
            let _ = try_docker(&["rmi", "-f", &format!("{name}:{tag}")]);
        }
    }
}

/// Carries what comes in at a socket to the engine's own, until the line is cut.
async fn carry(listener: tokio::net::UnixListener, line: CancellationToken) {
    while let Some(Ok((mut from, _))) = line.run_until_cancelled(listener.accept()).await {
        let line = line.clone();
        tokio::spawn(async move {
            let mut to = tokio::net::UnixStream::connect(SOCKET).await.unwrap();
            let carried = tokio::io::copy_bidirectional(&mut from, &mut to);
            line.run_until_cancelled(carried).await
        });
    }
}

/// Asks the engine, without its command line: that takes its time.
fn get(path: &str) -> Value {
    let mut engine = std::os::unix::net::UnixStream::connect(SOCKET).unwrap();
    write!(engine, "GET /v1.41{path} HTTP/1.0\r\nHost: docker\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    engine.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn is_record(volume: &Value) -> bool {
    volume["Labels"][label::RECORD].is_string() || text(&volume["Name"]).contains(".nself.")
}

/// Returns the volumes that remember, the one that counts last.
fn records(volumes: &[Value]) -> Vec<(String, Record)> {
    let read = |one: &Value| Record::parse(one["Labels"][label::RECORD].as_str()?).ok();
    let all = volumes.iter().filter_map(|one| Some((text(&one["Name"]), read(one)?)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(name, record)| (record.generation, record.complete, record.at, name.clone()));
    all
}

fn remove_network(network: &str) {
    let there = get(&format!("/networks/{network}"));
    for (id, _) in there["Containers"].as_object().into_iter().flatten() {
        let _ = try_docker(&["network", "disconnect", "-f", network, id]);
    }
    let _ = try_docker(&["network", "rm", network]);
}

fn build(tag: &str, line: &str) {
    let script = format!("printf 'FROM {BASE}\\n{line}\\n' | docker build -q -t {tag} -");
    let mut shell = std::process::Command::new("sh");
    let built = shell
        .args(["-c", &script])
        .env("DOCKER_BUILDKIT", "0")
        .env("DOCKER_API_VERSION", "1.41")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
