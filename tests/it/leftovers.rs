//! What `clean` takes away, and what it leaves alone, on a simulated engine.

use std::collections::BTreeMap;

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::{Desired, Facts},
    engine::{Engine as _, Observe as _, sim::Sim},
    model::{Digest, Keyring, ResourceId, SecretName, Sensitive, ServiceName},
    observed::{Request, SeenImage, SeenTool, ToolPurpose},
    plan::{Plan, Policy},
    spec::{Input, Source, parse},
};
use tokio_util::sync::CancellationToken;

const FILE: &str = r#"
[project]
name = "shop"

[images]
source = "build"

[services.api]
build = "api"

[services.redis]
"#;

fn compile(api: &str) -> Desired {
    let input = Input {
        main: Source::new("nself.toml", FILE.as_bytes().to_vec()),
        overlay: None,
        environment: None,
        process: BTreeMap::new(),
    };
    let spec = parse(&input).unwrap_or_else(|problems| panic!("{problems:#?}")).spec;
    let contexts = BTreeMap::from([(ServiceName::new("api").unwrap(), Digest::of(api.as_bytes()))]);
    let facts = Facts { now: 1, contexts, ..Facts::default() };
    nself::desired::compile(&spec, &facts).unwrap().desired
}

async fn look(sim: &Sim, desired: &mut Desired, goal: &Goal) -> Plan {
    let (keyring, policy) = (keyring(desired), Policy::default());
    let brief = Brief::new(goal, &keyring, &policy);
    pass::look(sim, desired, &brief).await.unwrap().1
}

async fn carry_out(sim: &Sim, desired: &mut Desired, goal: &Goal) -> Plan {
    let (keyring, policy) = (keyring(desired), Policy::default());
    sim.unlock(&keyring);
    let brief = Brief::new(goal, &keyring, &policy);
    let (_, plan) = pass::look(sim, desired, &brief).await.unwrap();
    let cancel = CancellationToken::new();
    let done = pass::converge(sim, desired, plan, &brief, &|_, _| {}, &cancel).await.unwrap();
    assert!(done.1.is_empty(), "{:#?}", done.1.changes);
    done.1
}

/// Every secret has its own name as its value.
fn keyring(desired: &Desired) -> Keyring {
    let value = |name: &SecretName| (name.clone(), Sensitive::new(format!("value of {name}")));
    Keyring::new(Some(Sensitive::new("key")), desired.secrets.keys().map(value).collect())
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.changes.changes.iter().map(|change| change.id.to_string()).collect()
}

fn tool(name: &str, purpose: ToolPurpose, abandoned: bool) -> SeenTool {
    SeenTool {
        id: format!("id of {name}"),
        name: name.into(),
        purpose,
        user: "me".into(),
        abandoned,
    }
}

#[tokio::test]
async fn what_nothing_uses_goes_and_the_rest_stays() {
    let sim = Sim::default();
    let mut before = compile("first");
    carry_out(&sim, &mut before, &Goal::Converge).await;
    let mut desired = compile("second");
    carry_out(&sim, &mut desired, &Goal::Converge).await;
    assert!(look(&sim, &mut desired, &Goal::Converge).await.is_empty());
    let earlier: Vec<String> = before
        .resources
        .keys()
        .filter(|id| !desired.resources.contains_key(*id))
        .map(ToString::to_string)
        .collect();
    let writer = ToolPurpose::Writer("shop-redis-config".into());
    {
        let mut world = sim.world();
        let built = SeenImage { id: "sha256:9".into(), built_from: Some("x".into()), size: 1 };
        for foreign in ["nself/redis:6-0", "shop-api-two:1", "shopper-api:1", "other/shop-api:1"] {
            world.images.insert(foreign.into(), SeenImage { id: foreign.into(), ..built.clone() });
        }
        let pulled = SeenImage { built_from: None, ..built };
        world.images.insert("shop-api:by-hand".into(), pulled);
        let tools = vec![
            tool("shop-redis-config.writer", writer.clone(), true),
            tool("shop-other-config.writer", writer, false),
            tool("shop.lock", ToolPurpose::Lock, true),
        ];
        world.tools.insert("shop".into(), tools);
    }
    let plan = look(&sim, &mut desired, &Goal::Clean).await;
    let wanted = [&earlier[0], "container/shop-redis-config.writer"];
    assert_eq!(earlier.len(), 1);
    assert_eq!(ids(&plan), wanted);
    assert_eq!(plan.changes.notes.len(), 1, "the dead lock is mentioned");
    assert!(plan.held.is_empty());
    let record = sim.world().records.clone();
    let images = sim.world().images.len();
    let rest = carry_out(&sim, &mut desired, &Goal::Clean).await;
    assert_eq!(ids(&rest), Vec::<String>::new());
    assert_eq!(sim.world().images.len(), images - 1);
    assert_eq!(sim.world().tools["shop"].len(), 2);
    assert_eq!(sim.world().records, record, "cleaning is not remembered");
    assert!(look(&sim, &mut desired, &Goal::Converge).await.is_empty(), "services are as before");
}

#[tokio::test]
async fn a_build_without_a_name_goes_once_nobody_can_be_making_it() {
    let sim = Sim::default();
    let desired = compile("first");
    let mut observed = sim.observe(&Request::of(&desired, false)).await.unwrap();
    let hour = 60 * 60 * 1000;
    let image = |id: &str, created, used| nself::observed::OwnImage {
        id: id.into(),
        tags: Vec::new(),
        size: 1,
        created,
        used,
    };
    observed.at = 10 * hour;
    observed.own_images = vec![
        image("old", 8 * hour, false),
        image("new", 10 * hour - 1, false),
        image("u", 0, true),
    ];
    let changes = nself::diff::leftovers(&desired, &observed);
    let ids: Vec<&ResourceId> = changes.changes.iter().map(|change| &change.id).collect();
    assert_eq!(ids, [&ResourceId::Image("old".into())]);
}
