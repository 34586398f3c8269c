//! Volumes.
//!
//! The engine answers 201 to a volume asked for with other options than it has, and changes nothing; so
//! what it is afterwards is compared.

use std::collections::BTreeMap;

use bollard::{models::VolumeCreateRequest, query_parameters::RemoveVolumeOptions};

use super::{Docker, create::owned, refusal};
use crate::{
    desired::Volume,
    engine::{Error, Refusal},
    observed::label,
};

impl Docker {
    pub(super) async fn create_volume(
        &self,
        volume: &Volume,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let Volume { name, service: _, disposable, driver, options } = volume;
        let what = || format!("create volume {name}");
        let mut all_labels = labels.clone();
        if *disposable {
            all_labels.entry(label::DISPOSABLE.to_owned()).or_insert_with(|| "true".to_owned());
        }
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            driver: Some(driver.clone()),
            driver_opts: Some(owned(options)),
            labels: Some(owned(&all_labels)),
            ..VolumeCreateRequest::default()
        };
        let made = self.api.create_volume(request).await;
        let made = made.map_err(|error| self.refused(what(), &error))?;

        let same = |key: &str| made.labels.get(key) == labels.get(key);
        if !same(label::PROJECT) || !same(label::INSTANCE) {
            let why = "a volume of that name is there and is not ours";
            return Err(self.refusal(what(), Refusal::NameTaken, why));
        }
        let live: BTreeMap<String, String> = made.options.into_iter().collect();
        if made.driver != *driver || live != *options {
            let why = "a volume of that name is there with another driver or other options";
            return Err(self.refusal(what(), Refusal::NameTaken, why));
        }
        Ok(())
    }

    pub(super) async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        let what = || format!("remove volume {name}");
        let options = || None::<RemoveVolumeOptions>;
        let removed = refusal::found(self.api.remove_volume(name, options()).await);
        let Err(error) = removed else { return Ok(()) };
        // An upload that was cut off leaves its helper, which keeps the volume in use.
        if refusal::status(&error) != Some(409) || !self.remove_helpers(name, &what()).await? {
            return Err(self.refused(what(), &error));
        }
        let removed = refusal::found(self.api.remove_volume(name, options()).await);
        removed.map(drop).map_err(|error| self.refused(what(), &error))
    }
}
