//! Where values come from, over the largest of the compiled cases.

use std::fmt::Write as _;

use nself::{desired, spec};

use crate::{case, compile};

#[test]
fn every_value_has_an_origin() {
    let input = case::named("compile", "shop");
    let spec = spec::parse(&input).unwrap().spec;
    let desired = compile::compile(&input);
    let mut out = String::new();
    for key in [
        "services.api.env",
        "api.limits.memory",
        "postgres.limits.memory",
        "api.replicas",
        "web.publish",
        "web.cap_drop",
        "web.health.command",
        "redis.image",
        "gateway",
        "project",
        "policy",
        "volume/shop-prod-postgres-data",
        "container/shop-prod-gateway",
        "apii.env",
        "api.envv",
        "Nothing",
    ] {
        writeln!(out, "$ explain {key}").unwrap();
        match desired::explain(&spec, &desired, key) {
            Ok(lines) => {
                for desired::Explained { path, value, origin, overridden } in lines {
                    let instead = match overridden.join(", ") {
                        none if none.is_empty() => none,
                        some => format!(" instead of {some}"),
                    };
                    writeln!(out, "{path} = {value}    [{origin}]{instead}").unwrap();
                }
            }
            Err(problem) => {
                writeln!(out, "{}: {}", problem.message, problem.help.unwrap_or_default()).unwrap();
            }
        }
    }
    case::compare("explain/shop.txt", &out);
}
