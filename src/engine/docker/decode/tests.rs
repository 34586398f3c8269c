//! Inspections as engines write them, and what is made of them.

use serde_json::json;

use super::*;
use crate::{desired::Fields, observed::Live};

const ID: &str = "5513efde251046e4f046055a264532c5fb4bb3b086e91fa1fab62e2ed5852c74";

#[expect(clippy::needless_pass_by_value, reason = "every call makes its own documents")]
fn read(config: Json, host: Json, networks: Json) -> SeenContainer {
    let defaults = Defaults {
        log_driver: "json-file".into(),
        cgroup: "host",
        runtime: "runc".into(),
        limits_swap: true,
        unified: false,
        shm: 64 << 20,
        ipc: "private",
        learned: Fields::default(),
    };
    let around = Around {
        defaults: &defaults,
        networks: &BTreeMap::from([("n1".to_owned(), "shop".to_owned())]),
        project: "p",
        instance: None,
    };
    let json = json!({
        "Id": ID,
        "Name": "/shop-api",
        "Image": "sha256:i",
        "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true,
                  "StartedAt": "0001-01-01T00:00:00Z"},
        "Config": config,
        "HostConfig": host,
        "NetworkSettings": {"Networks": networks},
    });
    container(json, &around)
}

fn texts(seen: &SeenContainer) -> BTreeMap<String, String> {
    let fields = seen.fields.0.iter();
    fields
        .filter(|(path, _)| !matches!(path.field, Field::Name | Field::State))
        .map(|(path, live)| {
            let (Live::Text(value) | Live::Verifier(value)) = live;
            (path.to_string(), value.expose().to_owned())
        })
        .collect()
}

fn check(config: Json, host: Json, networks: Json, expected: &[(&str, &str)]) {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(path, value)| ((*path).into(), (*value).into())).collect();
    assert_eq!(texts(&read(config, host, networks)), expected);
}

#[test]
fn what_the_engine_adds_is_left_out() {
    check(
        json!({"Hostname": "5513efde2510", "Env": null, "Labels": {"dev.nself.project": "p"}}),
        json!({"MemorySwappiness": null, "Runtime": "runc", "RestartPolicy": {"Name": "no"},
               "NetworkMode": "none", "PidsLimit": 0, "CapAdd": null}),
        json!({"none": {"NetworkID": ""}}),
        &[],
    );
}

#[test]
fn names_are_brought_to_one_form() {
    check(
        json!({"Hostname": "h", "Env": ["A=1", "B", "A=2=3"], "Labels": {"l": ""}}),
        json!({"CapAdd": ["cap_net_admin", "SYS_TIME"], "NetworkMode": "n1",
               "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
               "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "81"},
                                           {"HostIp": "127.0.0.1", "HostPort": "80"}]}}),
        json!({"shop": {"NetworkID": "n1", "Aliases": ["b", "a", "5513efde2510"],
                        "IPAMConfig": {"IPv4Address": "10.0.0.2"}}}),
        &[
            ("hostname", "h"),
            ("env.A", "2=3"),
            ("labels.l", ""),
            ("capabilities.add", r#"["NET_ADMIN","SYS_TIME"]"#),
            ("network_mode", "shop"),
            ("restart", "on-failure:3"),
            ("ports.80/tcp", r#"["0.0.0.0:81","127.0.0.1:80"]"#),
            ("networks.shop", "attached"),
            ("aliases.shop", r#"["a","b"]"#),
            ("address.shop", "10.0.0.2"),
        ],
    );
}

#[test]
fn volumes_without_a_name_are_seen_where_nothing_else_is_mounted() {
    let hex = "5".repeat(64);
    let carried = json!({"Type": "volume", "Source": hex, "Target": "/carried"});
    check(
        json!({"Volumes": {"/added": {}, "/data": {}, "/carried": {}}}),
        json!({"Mounts": [{"Type": "volume", "Source": "d", "Target": "/data"}, carried,
                          {"Type": "volume", "Target": "/asked"}]}),
        json!({}),
        &[
            ("mounts./added", "volume::rw"),
            ("mounts./asked", "volume::rw"),
            ("mounts./carried", "volume::rw"),
            ("mounts./data", "volume:d:rw"),
        ],
    );
}

#[test]
fn what_nself_never_sets_is_seen() {
    check(
        json!({"Tty": true, "MacAddress": "02:00:00:00:00:01"}),
        json!({"OomKillDisable": true, "CgroupParent": "x", "SomethingNew": {"a": 1},
               "CpuQuota": 5000, "VolumesFrom": ["other"]}),
        json!({}),
        &[
            ("engine.Tty", "true"),
            ("engine.MacAddress", "02:00:00:00:00:01"),
            ("engine.OomKillDisable", "true"),
            ("engine.CgroupParent", "x"),
            ("engine.SomethingNew", r#"{"a":1}"#),
            ("engine.CpuQuota", "5000"),
            ("engine.VolumesFrom", r#"["other"]"#),
        ],
    );
}

#[test]
fn a_place_on_a_removed_network_is_no_place() {
    check(json!({}), json!({}), json!({"shop": {"NetworkID": "gone"}}), &[]);
    // Never started: the engine notes the name only.
    check(
        json!({}),
        json!({}),
        json!({"shop": {"NetworkID": ""}}),
        &[("networks.shop", "attached")],
    );
}

#[test]
fn mounts_of_every_spelling_are_one() {
    let hex = "a".repeat(64);
    let seen = read(
        json!({}),
        json!({"Binds": ["data:/data", "/srv:/srv:ro,z", format!("{hex}:/old"), "v:/v:nocopy"],
               "Mounts": [{"Type": "volume", "Source": "logs", "Target": "/logs", "ReadOnly": true}]}),
        json!({}),
    );
    let expected = BTreeMap::from([
        ("mounts./data".to_owned(), "volume:data:rw".to_owned()),
        ("mounts./srv".to_owned(), "bind:/srv:ro".to_owned()),
        ("mounts./logs".to_owned(), "volume:logs:ro".to_owned()),
        ("mounts./v".to_owned(), "volume:v:rw nocopy".to_owned()),
    ]);
    assert_eq!(texts(&seen), expected);
    assert_eq!(seen.anonymous, BTreeMap::from([("/old".to_owned(), hex)]));
}

#[test]
fn state_says_why_it_ended() {
    let seen = read(json!({}), json!({}), json!({}));
    assert_eq!(seen.state.to_string(), "exited 137, out of memory");
    assert_eq!(seen.started, "");
}

#[test]
fn no_time_to_stop_is_a_time_to_stop() {
    check(json!({"StopTimeout": 0}), json!({}), json!({}), &[("stop.grace", "0")]);
}
