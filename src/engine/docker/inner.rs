//! Things inside services, through commands that their driver writes and reads.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::{
    Docker,
    exec::{Command, Ran},
};
use crate::{
    catalog::{Attribute, Inside, Statement},
    desired::{Field, InnerDriver, InnerResource},
    engine::Error,
    model::{Inner, Sensitive},
    observed::{InnerState, Live, LiveFields, Request, SeenContainer, State},
    plan::Target,
};

/// An exec costs the engine 50 to 100 ms of its own; few at once keep it answering others.
const AT_ONCE: usize = 4;

impl Docker {
    pub(super) async fn look_inside(
        &self,
        request: &Request,
        seen: &[SeenContainer],
    ) -> BTreeMap<String, InnerState> {
        let groups = request.inner_by_container().into_iter();
        let looks = groups.map(async |(container, (driver, members))| {
            let running =
                seen.iter().find(|seen| seen.name == container && seen.state == State::Running);
            let state = match running {
                None => InnerState::NotRunning,
                Some(there) => self.ask_inside(there, driver, &members).await,
            };
            (container.to_owned(), state)
        });
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffer_unordered(AT_ONCE).collect().await
    }

    async fn ask_inside(
        &self,
        container: &SeenContainer,
        driver: &InnerDriver,
        members: &[&InnerResource],
    ) -> InnerState {
        let wanted: Vec<&Inner> = members.iter().map(|member| &member.id).collect();
        let what = format!("look inside {}", container.name);
        let statement = driver.look(&wanted);
        match self.state(&container.id, &statement, &what).await {
            Err(error) => InnerState::Failed(told(&error)),
            Ok(ran) if ran.code != 0 => InnerState::Failed(self.last_words(&ran)),
            Ok(ran) => match driver.read(&ran.stdout) {
                Ok(inside) => InnerState::Seen(live(inside)),
                Err(why) => InnerState::Failed(self.keyring().scrub(&why)),
            },
        }
    }

    pub(super) async fn ensure_inner(
        &self,
        inner: &InnerResource,
        container: &Target,
    ) -> Result<(), Error> {
        let mut attributes: BTreeMap<String, Sensitive> = BTreeMap::new();
        for (key, value) in &inner.spec.attributes {
            attributes.insert(key.clone(), self.reveal(value)?);
        }
        let statement = inner.driver.ensure(&inner.id, &attributes);
        self.do_inside(container, &statement, format!("make {}", name(inner))).await
    }

    pub(super) async fn drop_inner(
        &self,
        inner: &InnerResource,
        container: &Target,
    ) -> Result<(), Error> {
        let statement = inner.driver.remove(&inner.id);
        self.do_inside(container, &statement, format!("remove {}", name(inner))).await
    }

    async fn do_inside(
        &self,
        container: &Target,
        statement: &Statement,
        what: String,
    ) -> Result<(), Error> {
        let container = self.exact(container, &what).await?;
        let ran = self.state(&container, statement, &what).await?;
        if ran.code == 0 {
            return Ok(());
        }
        Err(Error::Failed { what, output: self.last_words(&ran) })
    }

    async fn state(
        &self,
        container: &str,
        statement: &Statement,
        what: &str,
    ) -> Result<Ran, Error> {
        let Statement { argv, user, stdin } = statement;
        let command = Command { argv, user: user.as_deref(), stdin: Some(stdin) };
        self.run(container, &command, what).await
    }

    /// Returns the end of what a command printed, without secrets.
    pub(super) fn last_words(&self, ran: &Ran) -> String {
        const LINES: usize = 20;
        let output = self.keyring().scrub(&ran.output());
        let lines: Vec<&str> = output.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
        if last.is_empty() { format!("exit code {}", ran.code) } else { last }
    }
}

/// Returns an error with its cause in one line.
fn told(error: &Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn name(inner: &InnerResource) -> String {
    crate::model::ResourceId::Inner(inner.id.clone()).to_string()
}

fn live(inside: Inside) -> BTreeMap<Inner, LiveFields> {
    let things = inside.into_iter().map(|(inner, attributes)| {
        let fields = attributes.into_iter().map(|(key, attribute)| {
            let live = match attribute {
                Attribute::Text(text) => Live::Text(Sensitive::new(text)),
                Attribute::Verifier(text) => Live::Verifier(Sensitive::new(text)),
            };
            (Field::Attribute.key(key), live)
        });
        (inner, LiveFields(fields.collect()))
    });
    things.collect()
}
