//! Locks as containers that are never started: of all names on an engine, only those of containers can
//! be taken by one alone.

use std::time::Duration;

use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;

use super::{
    Docker,
    container::{Labelled, pause},
    refusal,
};
use crate::{
    engine::{Attempt, Error, Held, Holder, Lock, Refusal},
    observed::label,
};

/// What a lock says it is a helper for.
const PURPOSE: &str = "lock";
/// So long an engine may take to set a name free whose container it shows no more; short applies give the
/// lock back just when somebody looks, too. Nobody is as unlucky as that.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

impl Lock for Docker {
    async fn acquire(&self, prefix: &str, holder: &Holder) -> Result<Attempt, Error> {
        let what = format!("take the lock of {prefix}");
        let name = lock_name(prefix);
        let mut labels = holder.labels();
        labels.insert(label::HELPER.to_owned(), PURPOSE.to_owned());
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            match self.idle_container(&name, &labels, None).await {
                Ok(id) => return Ok(Attempt::Held(Held { id })),
                Err(error) if refusal::status(&error) != Some(409) => {
                    return Err(self.refused(what, &error));
                }
                Err(_) => {}
            }
            // Given back between the two calls, or about to be gone: try again.
            let Some(there) = self.lock_there(&name).await? else {
                pause(PAUSE).await;
                continue;
            };
            let other = Holder::from_labels(&there.labels);
            if !other.is_dead(holder) {
                return Ok(Attempt::Busy(Box::new(other)));
            }
            // By id: another one may have taken the name meanwhile.
            self.remove_by_id(&there.id, &what).await?;
        }
        let why = format!("its name {name} stays taken, and nothing is there that has it");
        Err(self.refusal(what, Refusal::NameTaken, why))
    }

    async fn release(&self, held: Held) -> Result<(), Error> {
        self.remove_by_id(&held.id, "release the lock").await
    }

    async fn holder(&self, prefix: &str) -> Result<Option<Holder>, Error> {
        let there = self.lock_there(&lock_name(prefix)).await?;
        Ok(there.map(|there| Holder::from_labels(&there.labels)))
    }

    async fn take_away(&self, prefix: &str, holder: &Holder) -> Result<bool, Error> {
        let there = self.lock_there(&lock_name(prefix)).await?;
        let is_theirs = |there: &Labelled| Holder::from_labels(&there.labels) == *holder;
        let Some(there) = there.filter(is_theirs) else { return Ok(false) };
        self.remove_by_id(&there.id, "take the lock away").await?;
        Ok(true)
    }

    async fn given_back(&self, prefix: &str) {
        let filters = [
            ("type", vec!["container".to_owned()]),
            ("event", vec!["destroy".to_owned()]),
            ("container", vec![lock_name(prefix)]),
        ];
        let options = EventsOptionsBuilder::new().filters(&filters.into_iter().collect()).build();
        let mut events = std::pin::pin!(self.api.events(Some(options)));
        match events.next().await {
            Some(Ok(_)) => {}
            // Without events there is nothing to come back for.
            Some(Err(_)) | None => std::future::pending().await,
        }
    }
}

impl Docker {
    async fn lock_there(&self, name: &str) -> Result<Option<Labelled>, Error> {
        let Some(there) = self.container_labels(name).await? else { return Ok(None) };
        let is_lock = there.labels.get(label::HELPER).is_some_and(|purpose| purpose == PURPOSE);
        if is_lock {
            return Ok(Some(there));
        }
        let why = format!("the container {name} is there and is no lock");
        Err(self.refusal("read the lock", Refusal::NameTaken, why))
    }
}

/// No name of ours has a dot, so this is no service's.
pub(super) fn lock_name(prefix: &str) -> String {
    format!("{prefix}.lock")
}
