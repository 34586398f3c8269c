//! Whatever somebody changes in a generated file is found, named and put right: the gateway loads the
//! right one again without a stop, and serves it.

use super::{
    services::SERVE,
    stage::{BASE, Stage, docker, eventually, gist},
};

const FILE: &str = r#"
[services.redis]

[services.web]
image = "debian:bookworm-slim"
command = {serve}
port = 8000
route = "@"
health = { http = "/" }
env = { GREETING = "hello" }
"#;

struct Case {
    what: &'static str,
    service: &'static str,
    /// What somebody does in the configuration volume.
    script: &'static str,
    /// The field that must be named.
    names: &'static str,
}

const SITE: &str = "file.conf.d/{name}.localhost.conf";

const CASES: &[Case] = &[
    Case {
        what: "a site edited",
        service: "gateway",
        script: "sed -i 's/set $upstream web;/set $upstream elsewhere;/' current/conf.d/*",
        names: SITE,
    },
    Case {
        what: "a site edited, and its time put back",
        service: "gateway",
        script: "file=$(ls current/conf.d/*) && was=$(stat -c @%Y $file) \
                 && sed -i 's/set $upstream web;/set $upstream bew;/' $file && touch -d $was $file",
        names: SITE,
    },
    Case {
        what: "another configuration in its place",
        service: "gateway",
        script: "cp -a $(readlink current) other && ln -sfn other current",
        names: "file",
    },
    Case {
        what: "everybody may write to the settings of all sites",
        service: "gateway",
        script: "chmod 0666 current/nginx.conf",
        names: "file_mode.nginx.conf",
    },
    Case {
        what: "everybody may read the key",
        service: "gateway",
        script: "chmod 0444 current/tls/key.pem",
        names: "file_mode.tls/key.pem",
    },
    Case {
        what: "the key removed",
        service: "gateway",
        script: "rm current/tls/key.pem",
        names: "file.tls/key.pem",
    },
    Case {
        what: "the key given to somebody else",
        service: "gateway",
        script: "chown 0:0 current/tls/key.pem",
        names: "file_owner.tls/key.pem",
    },
    Case {
        what: "one more site",
        service: "gateway",
        script: "echo 'server { listen 8443 ssl; server_name evil; ssl_certificate tls/chain.pem; \
                 ssl_certificate_key tls/key.pem; }' > current/conf.d/evil.conf",
        names: "file.conf.d/evil.conf",
    },
    Case {
        what: "a link to elsewhere",
        service: "gateway",
        script: "ln -s /dev/stdin current/conf.d/link.conf",
        names: "file.conf.d/link.conf",
    },
    Case { what: "everything removed", service: "gateway", script: "rm -r *", names: SITE },
    Case {
        what: "the cache's settings edited",
        service: "redis",
        script: "sed -i 's/^appendonly yes/appendonly no/' current/redis.conf",
        names: "file.redis.conf",
    },
    Case {
        what: "the cache's password edited",
        service: "redis",
        script: "printf guessed > current/password",
        names: "file.password",
    },
];

#[test]
fn what_is_moved_in_a_file_is_named_and_put_right() {
    let stage = Stage::new("files");
    stage.write(&FILE.replace("{serve}", SERVE));
    stage.converge();
    eventually("the gateway", || stage.ask(""));
    let mut wrong = Vec::new();
    for case in CASES {
        if let Err(why) = try_case(&stage, case) {
            wrong.push(format!("{}: {why}", case.what));
            stage.apply();
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

fn try_case(stage: &Stage, case: &Case) -> Result<(), String> {
    let container = stage.container(case.service);
    let life = stage.life(case.service);
    let volume = format!("{container}-config:/v");
    let words = ["run", "--rm", "--network", "none", "-v", &volume, "-w", "/v", BASE, "sh", "-ec"];
    docker(&[&words[..], &[case.script]].concat());
    let is_gateway = case.service == "gateway";
    if is_gateway {
        // So that what was written is also what is served, where it can be.
        docker(&["kill", "--signal", "HUP", &container]);
    }
    let names = case.names.replace("{name}", &stage.name);
    let drift = stage.drift();
    let report = stage.apply();
    for (look, plan) in [("drift", &drift), ("plan", &report.passes[0].0)] {
        let mut named = plan.changes.changes.iter().filter(|change| change.is_drift());
        if !named.any(|change| change.fields.iter().any(|field| field.path.to_string() == names)) {
            return Err(format!("{look} does not name {names}: {}", gist(plan)));
        }
    }
    let drift = stage.drift();
    if !report.rest.is_empty() || !drift.is_empty() {
        return Err(format!("not put right: {}{}", gist(&report.rest), gist(&drift)));
    }
    let now = stage.life(case.service);
    let id = |life: &str| life.split(' ').next().unwrap_or_default().to_owned();
    if id(&now) != id(&life) || is_gateway != (now == life) {
        return Err("a gateway loads files while it runs, a cache is started again".to_owned());
    }
    if is_gateway {
        eventually(case.what, || match stage.ask("") {
            Ok(page) if page != "hello" => Err(page),
            answer => answer,
        });
    }
    Ok(())
}
