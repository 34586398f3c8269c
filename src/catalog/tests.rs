//! What holds for every kind, and what single kinds make of their options.

use std::collections::BTreeMap;

use super::*;
use crate::model::{
    ImageRef, InnerKind, ProjectName, SecretName, ServiceName,
    decode::{Entry, Node, NodeValue},
};

struct World {
    project: ProjectName,
    service: ServiceName,
    certificate: Certificate,
    sites: Vec<Site>,
}

impl World {
    fn new(service: &str) -> Self {
        let hosts = vec!["api.shop.localhost".to_owned()];
        Self {
            project: ProjectName::new("my-shop").unwrap(),
            service: ServiceName::new(service).unwrap(),
            certificate: Certificate { hosts, chain: "chain".into(), key: "key".into() },
            sites: vec![Site {
                host: "api.shop.localhost".into(),
                upstream: "api".into(),
                port: 8000,
                body_limit: None,
            }],
        }
    }

    fn context<'a>(&'a self, version: &'a str, source: ImageSource) -> Context<'a> {
        Context {
            project: &self.project,
            service: &self.service,
            domain: "shop.localhost",
            version,
            source,
            own_image: false,
            production: false,
            sites: &self.sites,
            http_port: 80,
            https_port: 443,
            certificate: Some(&self.certificate),
            port: Some(8000),
            turns: NO_TURNS,
        }
    }
}

fn node(value: NodeValue) -> Node {
    Node { origin: Origin::Default, value }
}

fn table<const N: usize>(entries: [(&str, NodeValue); N]) -> Table {
    let entry = |value| Entry { key: Origin::Default, node: node(value) };
    entries.map(|(key, value)| (key.to_owned(), entry(value))).into_iter().collect()
}

fn texts(items: &[&str]) -> NodeValue {
    NodeValue::Array(items.iter().map(|&item| node(NodeValue::String(item.into()))).collect())
}

fn options(kind: &str, table: &Table) -> Options {
    let mut problems = Vec::new();
    let options = Options::decode_keys(Kind::named(kind).unwrap(), table, None, &mut problems);
    assert_eq!(problems, []);
    options.unwrap()
}

#[test]
fn kinds_are_in_order_and_pinned() {
    assert!(KINDS.is_sorted_by_key(|kind| kind.name));
    for kind in KINDS {
        assert_eq!(kind.image.is_none(), kind.releases.is_empty(), "{}", kind.name);
        for release in kind.releases {
            let image = ImageRef::tagged(kind.image.unwrap(), release.tag).unwrap();
            assert!(image.tag().unwrap().contains('.'), "{image} floats");
        }
        let Some(recipe) = kind.recipe else { continue };
        assert!(kind.releases.iter().any(|release| release.version == recipe.version));
        let dockerfile = recipe.files.iter().find(|(path, _)| *path == "Dockerfile").unwrap().1;
        let mut lines = dockerfile.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.next(), Some("ARG BASE"));
        assert!(lines.next().unwrap().starts_with("FROM ${BASE}"));
    }
}

#[test]
fn each_kind_can_be_asked_and_offers_what_it_says() {
    for kind in KINDS {
        let world = World::new(kind.name);
        let options = options(kind.name, &Table::new());
        let version = kind.releases.first().map_or("", |release| release.version);
        let context = world.context(version, ImageSource::Registry);
        assert_eq!(options.check(&context), [], "{}", kind.name);
        let offered: Vec<_> = options.offers(&context).iter().map(|(key, _)| *key).collect();
        let mut said: Vec<_> = kind.offers.iter().map(|offer| offer.key).collect();
        if kind.image.is_none() {
            said.sort_unstable();
            assert!(said.iter().all(|key| offered.contains(key)), "{}", kind.name);
            continue;
        }
        assert_eq!(offered, said, "{}", kind.name);
        let blueprint = options.blueprint(&context);
        assert!(blueprint.probe.is_some() && blueprint.health.is_some(), "{}", kind.name);
        assert_eq!(blueprint.capabilities, Some(Vec::new()), "{}", kind.name);
        assert_eq!(blueprint.driver.is_some(), !blueprint.inner.is_empty(), "{}", kind.name);
    }
}

#[test]
fn a_postgres_keeps_its_data_where_its_release_looks_for_it() {
    let world = World::new("postgres");
    let target = |version| {
        let options = options("postgres", &Table::new());
        let context = world.context(version, ImageSource::Registry);
        options.blueprint(&context).volumes[0].target.clone()
    };
    assert_eq!(target("17"), "/var/lib/postgresql/data");
    assert_eq!(target("18"), "/var/lib/postgresql");
}

#[test]
fn a_postgres_loads_what_its_extensions_need_and_owns_its_database() {
    let world = World::new("postgres");
    let role = NodeValue::Table(table([
        ("member_of", texts(&["pg_read_all_data"])),
        ("grants", NodeValue::Table(table([("database:my_shop", texts(&["connect"]))]))),
    ]));
    let table = table([
        ("extensions", texts(&["pg_stat_kcache", "pg_cron", "unaccent"])),
        ("roles", NodeValue::Table(table([("reporter", role)]))),
        ("settings", NodeValue::Table(table([("max_connections", NodeValue::Integer(200))]))),
    ]);
    let options = options("postgres", &table);
    let context = world.context("15", ImageSource::Build);
    assert_eq!(options.check(&context), []);
    let blueprint = options.blueprint(&context);
    assert_eq!(
        blueprint.command.unwrap().join(" "),
        "postgres -c cron.database_name=my_shop -c max_connections=200 \
         -c shared_preload_libraries=pg_stat_statements,pg_cron,pg_stat_kcache"
    );
    let inner: Vec<_> =
        blueprint.inner.iter().map(|spec| format!("{}/{}", spec.kind.word(), spec.name)).collect();
    assert_eq!(
        inner.join(" "),
        "role/postgres role/my_shop role/reporter database/my_shop extension/pg_stat_kcache \
         extension/pg_cron extension/unaccent grant/reporter@database:my_shop"
    );
    let grant = blueprint.inner.iter().find(|spec| spec.kind == InnerKind::Grant).unwrap();
    assert_eq!(grant.attributes["privileges"].as_plain().unwrap(), r#"["CONNECT"]"#);
    let offers: BTreeMap<_, _> = options.offers(&context).into_iter().collect();
    assert_eq!(offers["user"].as_plain().unwrap(), "my_shop");
    assert_eq!(
        offers["url"].secrets().next().unwrap().as_str(),
        "postgres_my_shop_password",
        "not the superuser's"
    );
}

#[test]
fn two_logins_of_a_postgres_take_turns() {
    let world = World::new("postgres");
    let options = options("postgres", &Table::new());
    let secret = SecretName::new("postgres_my_shop_password").unwrap();
    let seen = |turn: u32| {
        let turns = BTreeMap::from([(secret.clone(), turn)]);
        let context = Context { turns: &turns, ..world.context("15", ImageSource::Build) };
        let offers: BTreeMap<_, _> = options.offers(&context).into_iter().collect();
        let user = offers["user"].as_plain().unwrap();
        let mut inner = Vec::new();
        for spec in options.blueprint(&context).inner {
            let get = |key: &str| spec.attributes.get(key).and_then(Text::as_plain);
            let logs_in = match (get("login"), spec.attributes.contains_key("password")) {
                (Some(login), true) if login == "true" => " logs in",
                (None, false) => "",
                other => panic!("{other:?}"),
            };
            if spec.kind == InnerKind::Role && spec.name != "postgres" {
                let acts_as = get("acts_as").map(|role| format!(" as {role}")).unwrap_or_default();
                inner.push(format!("{}{logs_in}{acts_as}", spec.name));
            } else if spec.kind == InnerKind::Login {
                inner.push(format!("{} closed", get("closed").unwrap()));
            }
        }
        format!("{user}: {}", inner.join(", "))
    };
    assert_eq!(seen(0), "my_shop: my_shop logs in");
    let second = "my_shop_b: my_shop, my_shop_b logs in as my_shop, my_shop closed";
    let first = "my_shop: my_shop logs in, my_shop_b as my_shop, my_shop_b closed";
    assert_eq!((seen(1), seen(2)), (second.to_owned(), first.to_owned()));
    assert_eq!((seen(3), seen(4)), (second.to_owned(), first.to_owned()));
}

#[test]
fn all_mistakes_in_a_postgres_are_found() {
    let role = NodeValue::Table(table([
        ("member_of", texts(&["nobody"])),
        (
            "grants",
            NodeValue::Table(table([
                ("table:x", texts(&["SELECT"])),
                ("database:elsewhere", texts(&["CONNECT"])),
                ("schema:public", texts(&["SELECT"])),
            ])),
        ),
    ]));
    let table = table([
        ("database", NodeValue::String("template1".into())),
        ("databases", texts(&["a", "a"])),
        ("extensions", texts(&["pgvector", "vector", "plv8"])),
        ("schemas", texts(&["pg_own"])),
        ("roles", NodeValue::Table(table([("postgres", role)]))),
        ("settings", NodeValue::Table(table([("Port", NodeValue::Integer(1))]))),
    ]);
    let world = World::new("postgres");
    let context = world.context("17", ImageSource::Registry);
    let found = options("postgres", &table).check(&context);
    let codes: Vec<_> = found.iter().map(|problem| problem.code).collect();
    assert_eq!(
        codes.join(" "),
        "reserved-name duplicate reserved-name unknown-extension extension-not-in-image \
         extension-not-in-image reserved-name unknown-role bad-grant bad-grant bad-grant bad-setting"
    );
}

#[test]
fn the_gateway_can_be_checked_in_another_folder() {
    let world = World::new("gateway");
    let context = world.context("1.31", ImageSource::Registry);
    let options = options("gateway", &Table::new());
    let blueprint = options.blueprint(&context);
    let generated = blueprint.generated.unwrap();
    let names: Vec<_> = generated.files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "conf.d/api.shop.localhost.conf",
            "nginx.conf",
            "proxy.conf",
            "tls/chain.pem",
            "tls/key.pem"
        ]
    );
    for (name, file) in &generated.files {
        let text = file.content.as_plain().unwrap();
        assert!(!text.contains(Generated::MOUNT) && !text.contains('@') || name.contains("conf.d"));
    }
    let site = generated.files["conf.d/api.shop.localhost.conf"].content.as_plain().unwrap();
    assert!(site.contains("http2 on;") && site.contains("308 https://api.shop.localhost$request"));

    // Without certificates there is nothing to refuse TLS with, and nginx would not start.
    let bare = Context { sites: &[], certificate: None, ..context };
    let files = options.blueprint(&bare).generated.unwrap().files;
    assert!(!files["nginx.conf"].content.as_plain().unwrap().contains("ssl_reject_handshake"));
    assert_eq!(files.len(), 2);
}
