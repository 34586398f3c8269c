//! The kinds themselves, running: what the file says is what comes to be, and then nothing is left to do.

use std::path::Path;

use super::stage::{Stage, eventually, gist};

/// A server in the base image's own Perl. `GREETING` is what it answers.
pub(crate) const SERVE: &str = r#"["perl", "-MIO::Socket::INET", "-e", '''
$SIG{PIPE} = "IGNORE"; $SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die "port: $!";
while (my $client = $server->accept) {
    while (defined(my $line = <$client>)) { last if $line =~ /^\s*$/ }
    print $client "HTTP/1.0 200 OK\r\n\r\n" . $ENV{GREETING};
    close $client;
}
''']"#;

/// One service of every kind, and everything that can be inside one.
pub(crate) const EVERYTHING: &str = r#"
[services.postgres]
database = "app"
databases = ["reports"]
schemas = ["audit"]
extensions = ["pg_trgm", "unaccent"]

[services.postgres.roles.reader]
connection_limit = 5
member_of = ["pg_read_all_data"]
grants = { "database:reports" = ["CONNECT"], "schema:audit" = ["USAGE"] }

[services.redis]
maxmemory = "64M"

[services.mailpit]

[services.web]
image = "debian:bookworm-slim"
command = {serve}
port = 8000
route = "@"
health = { http = "/" }

[services.web.env]
GREETING = "hello"
DATABASE_URL = "${postgres.url}"
REDIS_URL = "${redis.url}"
SMTP_URL = "${mailpit.smtp_url}"

[services.migrate]
kind = "job"
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo migrated"]
env = { DATABASE_URL = "${postgres.url}" }
"#;

#[test]
fn after_an_apply_of_everything_nothing_is_left_to_do() {
    let stage = Stage::new("everything");
    stage.write(&EVERYTHING.replace("{serve}", SERVE));
    assert!(!stage.plan().is_empty());
    stage.converge();
    assert_eq!(eventually("the gateway", || stage.ask("")), "hello");
    assert!(eventually("mailpit", || stage.ask("mail")).contains("<html"));

    let services = ["postgres", "redis", "mailpit", "web", "migrate", "gateway"];
    let lives = services.map(|service| stage.life(service));
    let report = stage.apply();
    assert!(report.passes.iter().all(|(plan, _)| plan.steps.is_empty()), "{}", gist(&report.rest));
    assert_eq!(services.map(|service| stage.life(service)), lives);
    let drift = stage.drift();
    assert!(drift.is_empty(), "{}", gist(&drift));
}

/// Copies an example into the stage, under the stage's name and kept to this machine.
fn borrow(stage: &Stage, example: &Path) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    copy(example, stage.folder());
    let text = std::fs::read_to_string(example.join("nself.toml")).unwrap();
    let mut file: toml::Table = toml::from_str(&text).unwrap();
    file["project"].as_table_mut().unwrap().insert("name".into(), stage.name.clone().into());
    if let Some(services) = file.get_mut("services") {
        // A recipe makes one version, and examples speak of images that are pulled.
        for (_, service) in services.as_table_mut().unwrap().iter_mut() {
            service.as_table_mut().unwrap().remove("version");
        }
    }
    let machine: toml::Table = toml::from_str(&stage.machine()).unwrap();
    for (name, table) in machine {
        file.insert(name, table);
    }
    std::fs::write(stage.file(), file.to_string()).unwrap();
}

#[test]
fn every_example_has_something_to_do_and_the_smallest_one_is_done() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let example = entry.unwrap().path();
        // Others are scripts around projects, and run those themselves.
        if !example.join("nself.toml").is_file() {
            continue;
        }
        let stage = Stage::new("example");
        borrow(&stage, &example);
        let plan = stage.plan();
        assert!(!plan.steps.is_empty() && plan.held.is_empty(), "{}", example.display());
        if example.ends_with("minimal") {
            stage.converge();
        }
    }
}
