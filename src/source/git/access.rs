//! How a repository lets us in.

use std::{collections::BTreeMap, ffi::OsString, fmt::Write as _, path::PathBuf};

use super::{
    Error, Invalid,
    url::{GitUrl, Transport},
};
use crate::model::{Keyring, Sensitive};

/// How a repository lets us in.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The user's name, for https.
    pub username: Option<String>,
    /// The password or token, for https.
    pub password: Option<Sensitive>,
    /// The private key, for ssh; without one the agent's keys and the user's own.
    pub ssh_key: Option<PathBuf>,
    /// The keys of the hosts that are trusted, for ssh; without it the user's own list.
    pub known_hosts: Option<PathBuf>,
    /// The certificates of authorities that are trusted, for https; without it those of the system.
    pub ca_bundle: Option<PathBuf>,
    /// The process environment. Of it `git` gets where programs, the agent and proxies are.
    pub variables: BTreeMap<String, String>,
}

/// The name that servers take with a token, whatever it is.
const ANYBODY: &str = "git";

/// Answers `git` with what is in its environment, where nobody but the same user can read it. It is asked for
/// one site alone: a redirection elsewhere gets nothing.
const HELPER: &str = concat!(
    "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' ",
    "\"$NSELF_GIT_USERNAME\" \"$NSELF_GIT_PASSWORD\"; }; f"
);

/// What `git` is given to be let in: environment and settings.
pub(super) type Given = (Vec<(&'static str, OsString)>, Vec<(String, OsString)>);

impl Access {
    pub(super) fn given(&self, url: &GitUrl) -> Result<Given, Error> {
        let mut environment = vec![("GIT_ALLOW_PROTOCOL", OsString::from(url.transport().word()))];
        let mut settings = Vec::new();
        match url.transport() {
            Transport::Ssh => {
                environment.push(("GIT_SSH_COMMAND", self.ssh()?.into()));
                environment.push(("GIT_SSH_VARIANT", "ssh".into()));
            }
            Transport::Https | Transport::Http => {
                if let Some(bundle) = &self.ca_bundle {
                    settings.push(("http.sslCAInfo".to_owned(), bundle.clone().into()));
                }
                if let Some(password) = &self.password {
                    let name = self.username.as_deref().or(url.user()).unwrap_or(ANYBODY);
                    let password = password.expose();
                    if [name, password].iter().any(|text| text.chars().any(char::is_control)) {
                        let why = "the user's name or password has a line break or another control character in it";
                        return Err(Invalid(why.to_owned()).into());
                    }
                    environment.push(("NSELF_GIT_USERNAME", name.into()));
                    environment.push(("NSELF_GIT_PASSWORD", password.into()));
                    settings.push((format!("credential.{}.helper", url.site()), HELPER.into()));
                }
            }
            Transport::File => {}
        }
        Ok((environment, settings))
    }

    /// Returns what strikes the password out of texts.
    pub(super) fn keyring(&self) -> Keyring {
        Keyring::default().knowing(self.password.clone())
    }

    /// Returns the command line of `ssh`, which `git` hands to a shell. It asks nothing, trusts nobody new, and
    /// shares no connection: one that is shared outlives us.
    fn ssh(&self) -> Result<String, Error> {
        let mut line = "ssh -T".to_owned();
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "ControlMaster=no",
            "ControlPath=none",
            "PermitLocalCommand=no",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "ConnectTimeout=30",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=3",
        ] {
            let _ = write!(line, " -o {option}");
        }
        if let Some(path) = &self.known_hosts {
            let path = ssh_path(path)?;
            let _ = write!(line, " -o GlobalKnownHostsFile=/dev/null");
            let _ = write!(line, " -o 'UserKnownHostsFile=\"{path}\"'");
        }
        if let Some(path) = &self.ssh_key {
            let path = ssh_path(path)?;
            let _ = write!(line, " -o IdentitiesOnly=yes -i '{path}'");
        }
        Ok(line)
    }
}

/// Returns a path as `ssh` reads it between quotes.
fn ssh_path(path: &std::path::Path) -> Result<String, Error> {
    let text = path.to_str().filter(|text| {
        text.starts_with('/')
            && !text.contains(['"', '\'', '\\', '$'])
            && !text.chars().any(char::is_control)
    });
    let Some(text) = text else {
        let why = format!(
            "ssh cannot be given the file {}; it takes an absolute path without quotes, backslashes and `$`",
            path.display()
        );
        return Err(Invalid(why).into());
    };
    Ok(text.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_for_one_site_and_in_no_argument() {
        let access = Access { password: Some(Sensitive::new("sesame-open")), ..Access::default() };
        let url = "https://me@git.example.org:8443/a".parse().unwrap();
        let (environment, settings) = access.given(&url).unwrap();
        assert!(environment.contains(&("NSELF_GIT_USERNAME", "me".into())));
        assert_eq!(settings[0].0, "credential.https://git.example.org:8443.helper");
        assert!(!format!("{settings:?}").contains("sesame"));
        let broken = Access { password: Some(Sensitive::new("a\nhost=x")), ..Access::default() };
        assert!(broken.given(&url).is_err());
        let nothing = access.given(&"/srv/a".parse().unwrap()).unwrap();
        assert!(!format!("{nothing:?}").contains("sesame"));
    }

    #[test]
    fn paths_for_ssh_do_not_end_their_quotes() {
        let access = Access { ssh_key: Some("/a b/50%/key".into()), ..Access::default() };
        assert!(access.ssh().unwrap().ends_with("-i '/a b/50%%/key'"));
        for path in ["/a'; id; '", "/a\"", "/${HOME}", "key"] {
            let access = Access { known_hosts: Some(path.into()), ..Access::default() };
            assert!(access.ssh().is_err(), "{path}");
        }
    }
}
