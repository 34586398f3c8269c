//! Mistakes in `[[policy]]` rules.

use std::collections::{BTreeMap, BTreeSet};

use super::unknown_service;
use crate::{
    model::{Diagnostic, Origin, ServiceName},
    spec::{GATEWAY, PolicyRule, REFUSE_OVER, Spec},
};

/// Adds what is wrong with the rules.
pub(super) fn check(spec: &Spec, broken: &BTreeSet<ServiceName>, problems: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<&str, &Origin> = BTreeMap::new();
    for rule in &spec.policies {
        let (name, place) = (rule.name.value.as_str(), &rule.name.origin);
        if name == REFUSE_OVER {
            let message = format!("`{name}` is the name of what `refuse_over` in [project] says");
            let problem = Diagnostic::error("reserved-name", message).at(place, "");
            problems.push(problem.help("call it something else"));
        } else if let Some(first) = names.insert(name, place) {
            let message = format!("two policies are called `{name}`");
            let problem = Diagnostic::error("policy-twice", message).at(place, "");
            problems.push(
                problem
                    .at(first, "the first")
                    .help("a release names a policy, so each has a name of its own"),
            );
        }
        demand(rule, problems);
        for service in rule.services.iter().chain(&rule.except) {
            let known = spec.services.contains_key(&service.value)
                || broken.contains(&service.value)
                || service.value.as_str() == GATEWAY;
            if !known {
                problems.push(unknown_service(spec, &service.value, &service.origin));
            }
        }
    }
}

/// Finds out whether a rule says one thing, and says it of services where that means something.
fn demand(rule: &PolicyRule, problems: &mut Vec<Diagnostic>) {
    let PolicyRule { name, deny, require, max_removals, max_recreates, max_unavailable, .. } = rule;
    let of_containers = [
        deny.as_ref().map(|deny| ("deny", &deny.origin)),
        require.as_ref().map(|require| ("require", &require.origin)),
    ];
    let of_plans = [
        ("max_removals", max_removals),
        ("max_recreates", max_recreates),
        ("max_unavailable", max_unavailable),
    ]
    .map(|(key, amount)| amount.as_ref().map(|amount| (key, &amount.origin)));
    let said: Vec<_> = of_containers.iter().chain(&of_plans).flatten().collect();
    match said.as_slice() {
        [] => {
            let message = format!("the policy `{}` demands nothing", name.value);
            problems.push(
                Diagnostic::error("no-demand", message).at(&name.origin, "").help(
                    "say one of deny, require, max_removals, max_recreates and max_unavailable",
                ),
            );
        }
        [_] => {}
        [(first, place), (second, other), ..] => {
            let message = format!("the policy `{}` says both `{first}` and `{second}`", name.value);
            let problem = Diagnostic::error("two-demands", message).at(other, "").at(place, "");
            problems.push(problem.help("make two policies of it"));
        }
    }
    let named = rule.services.first().map(|service| ("services", &service.origin));
    let spared = rule.except.first().map(|service| ("except", &service.origin));
    if let Some((key, place)) = named.or(spared)
        && let Some((demand, _)) = of_plans.iter().flatten().next()
    {
        let message = format!("`{key}` means nothing beside `{demand}`, which counts all services");
        problems.push(Diagnostic::error("no-effect", message).at(place, "take it out"));
    }
    if let (Some((_, services)), Some((_, except))) = (named, spared) {
        let message = "a policy has `services` or `except`, not both";
        let problem = Diagnostic::error("two-scopes", message).at(except, "").at(services, "");
        problems.push(problem.help("those that are not named are spared already"));
    }
}
