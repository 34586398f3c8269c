//! The policies of a project, with what production adds.

use crate::{
    desired::{Demand, Desired, Measure, Rule, Whom},
    model::{Origin, PolicyName, ServiceName, Share, decode::Sourced},
    spec::{Amount, PolicyRule, REFUSE_OVER, RuleEffect, Spec},
};

/// Below so many resources half of them may go at once in production: small projects are rebuilt.
const FEW: usize = 4;

/// Returns the rules of the file, and the one about removals.
pub(super) fn rules(spec: &Spec) -> Vec<Rule> {
    let mut rules: Vec<Rule> = spec.policies.iter().filter_map(rule).collect();
    match &spec.refuse_over {
        Some(Sourced { value, origin }) => rules.extend(refuse_over(*value, 0, origin.clone())),
        None if spec.production => {
            let half = "50%".parse().expect("half is a share");
            let origin = Origin::Computed("the default in production".to_owned());
            rules.extend(refuse_over(half, FEW, origin));
        }
        None => {}
    }
    rules
}

impl Desired {
    /// Puts another share of removals in the place of the one that the file or production says.
    pub fn refuse_over(&mut self, share: Share) {
        self.rules.retain(|rule| rule.name.as_str() != REFUSE_OVER);
        self.rules.extend(refuse_over(share, 0, Origin::Computed("--refuse-over".to_owned())));
    }
}

fn rule(written: &PolicyRule) -> Option<Rule> {
    let PolicyRule {
        name,
        deny,
        require,
        max_removals,
        max_recreates,
        max_unavailable,
        services,
        except,
        effect,
    } = written;
    let names = |list: &[Sourced<ServiceName>]| list.iter().map(|one| one.value.clone()).collect();
    let whom =
        if services.is_empty() { Whom::AllBut(names(except)) } else { Whom::Only(names(services)) };
    let at_most = |measure: Measure, amount: &Option<Sourced<Amount>>| {
        let amount = amount.as_ref()?.value;
        Some(Demand::AtMost { measure, amount, among: 0 })
    };
    // That there is just one of them, the checks of the file have seen to.
    let demand = deny
        .as_ref()
        .map(|deny| Demand::Deny(deny.value, whom.clone()))
        .or_else(|| require.as_ref().map(|require| Demand::Require(require.value, whom.clone())))
        .or_else(|| at_most(Measure::Removals, max_removals))
        .or_else(|| at_most(Measure::Recreates, max_recreates))
        .or_else(|| at_most(Measure::Unavailable, max_unavailable))?;
    let effect = effect.as_ref().map_or(RuleEffect::Hold, |effect| effect.value);
    Some(Rule { name: name.value.clone(), demand, effect, origin: name.origin.clone() })
}

fn refuse_over(share: Share, among: usize, origin: Origin) -> Option<Rule> {
    let amount = Amount::Share(share);
    let demand = Demand::AtMost { measure: Measure::Removals, amount, among };
    let name = PolicyName::new(REFUSE_OVER).ok()?;
    Some(Rule { name, demand, effect: RuleEffect::Hold, origin })
}
