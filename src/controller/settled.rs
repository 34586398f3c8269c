//! Whether an apply has nothing to do, so that it need not be the only one.

use super::{Error, Options, Pass, Project, milliseconds};
use crate::{
    cert::Authority,
    desired::{Desired, SecretNeed},
    plan::{self, Applied},
    secret::Pair,
};

/// Returns whether an apply would change nothing at all: no step, nothing to write down, no secret to make,
/// to renew or to settle, and nothing left of an apply that died. Then the look that shows it is all there is
/// to an apply, and nobody is kept out meanwhile.
pub(super) fn is_settled(project: &Project, options: &Options, pass: &Pass) -> Result<bool, Error> {
    let Pass { desired, observed, plan, .. } = pass;
    let is_idle = plan.steps.is_empty() && plan.adopted() == 0 && project.recalled.is_none();
    let is_tidy = !observed.has_older_record && !observed.tools.iter().any(|tool| tool.abandoned);
    // Of what is destroyed nothing is left, and so nothing is remembered.
    let nothing_stays = plan.held.is_empty() && plan.changes.left_out.is_empty();
    let is_to_forget = desired.resources.is_empty() && nothing_stays && plan.recorded.is_some();
    if !is_idle || !is_tidy || is_to_forget {
        return Ok(false);
    }
    let after = plan::record_after(desired, plan, &Applied::default(), &project.keyring);
    if !plan.recorded.as_ref().is_some_and(|recorded| recorded.says_the_same(&after)) {
        return Ok(false);
    }
    if !options.is_about_content() {
        return Ok(true);
    }
    Ok(project.vault()?.pending().is_empty() && secrets_are_there(project, desired))
}

fn secrets_are_there(project: &Project, desired: &Desired) -> bool {
    let keyring = &project.keyring;
    for (name, need) in &desired.secrets {
        let Some(value) = keyring.get(name) else { return false };
        let SecretNeed::CertificateChain { hosts, key } = need else { continue };
        let Some(key) = keyring.get(key) else { return false };
        let pair = Pair { chain: value.clone(), key: key.clone() };
        let now = milliseconds();
        // Why it cannot be opened is said by whoever needs a certificate of it.
        let authority = Authority::open(&project.place.authority, now);
        if !authority.is_ok_and(|authority| authority.is_good(&pair, hosts, now)) {
            return false;
        }
    }
    true
}
