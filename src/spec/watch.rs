//! `[watch]`: what `nself watch` may change and when, how often it looks, and whom it tells.

use std::collections::{BTreeMap, BTreeSet};

use super::{GATEWAY, Reference, Spec, Template, TemplatePart};
use crate::{
    model::{
        Encoding, Millis, Origin, Part, Schedule, SecretName, ServiceName, Text, WatchMode, Window,
        Zone, decode::Sourced,
    },
    table,
};

table! {
    /// `[watch]`
    #[derive(Default)]
    pub struct Watch {
        /// "heal" puts right what differs, be it a commit or a change made by hand; "detect" only reports it. Default: "heal".
        pub mode: Option<Sourced<WatchMode>>,
        /// How often to look although nothing was heard of, 10s to 24h. Default: 5m.
        pub every: Option<Sourced<Millis>>,
        /// How often to ask the repository, 10s to 24h. Default: 1m.
        pub poll: Option<Sourced<Millis>>,
        /// When anything may be changed, commits included: { cron = "0 3 * * sun", for = "2h" }. Default: always.
        pub windows: Vec<WindowRule>,
        /// Whom to tell: each names one of slack, webhook and mail. May hold references such as `${secret.slack_url}`.
        pub notify: Vec<NotifyRule>,
    }
}

table! {
    /// `watch.windows`
    pub struct WindowRule {
        /// When it opens: minute, hour, day of the month, month and day of the week, such as "0 3 * * sun".
        pub cron: Sourced<Schedule>,
        /// How long it stays open, 1m to 168h.
        pub r#for: Sourced<Millis>,
        /// The time zone of `cron`, such as "Europe/Berlin". Default: UTC.
        pub timezone: Option<Sourced<Zone>>,
    }
}

table! {
    /// `watch.notify`: one of `slack`, `webhook` and `mail`.
    pub struct NotifyRule {
        /// The address of an incoming webhook of Slack, or of something that speaks like it.
        pub slack: Option<Sourced<Template>>,
        /// An address that each message is posted to as JSON.
        pub webhook: Option<Sourced<Template>>,
        /// What the webhook's messages are signed with.
        pub secret: Option<Sourced<Template>>,
        /// To whom mail goes; several with commas between them.
        pub mail: Option<Sourced<Template>>,
        /// The mail server: `smtp://HOST:587` (TLS after the greeting) or `smtps://HOST`.
        pub server: Option<Sourced<Template>>,
        /// From whom mail comes.
        pub from: Option<Sourced<Template>>,
        /// The login at the mail server. Default: none.
        pub user: Option<Sourced<Template>>,
        /// Its password.
        pub password: Option<Sourced<Template>>,
    }
}

/// Whom the loop tells, and how. A [`Text`] reads as something only for who knows the project's secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// A webhook of Slack.
    Slack {
        /// Its address.
        url: Text,
    },
    /// Any other webhook.
    Webhook {
        /// Its address.
        url: Text,
        /// What its messages are signed with.
        secret: Option<Text>,
    },
    /// Mail.
    Mail {
        /// To whom, with commas between them.
        to: Text,
        /// Over which server, as a URL.
        server: Text,
        /// From whom.
        from: Text,
        /// The login and its password.
        login: Option<(Text, Text)>,
    },
}

/// What the loop may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whether it may touch anything at all.
    pub mode: WatchMode,
    /// The services a pass is for, with what they need; none is all of the project.
    pub targets: BTreeSet<ServiceName>,
    /// The services whose differences are only reported, also where others need them.
    pub spared: BTreeSet<ServiceName>,
}

impl Watch {
    /// How often the loop looks although nothing was heard of.
    pub const EVERY: Millis = Millis(300_000);
    /// How often it asks the repository.
    pub const POLL: Millis = Millis(60_000);

    /// Returns how often the loop looks although nothing was heard of.
    pub fn every(&self) -> Millis {
        self.every.as_ref().map_or(Self::EVERY, |every| every.value)
    }

    /// Returns how often it asks the repository.
    pub fn poll(&self) -> Millis {
        self.poll.as_ref().map_or(Self::POLL, |poll| poll.value)
    }

    /// Returns when it may change anything; none is always.
    pub fn windows(&self) -> Vec<Window> {
        let window = |rule: &WindowRule| Window {
            schedule: rule.cron.value.clone(),
            length: rule.r#for.value,
            zone: rule.timezone.as_ref().map_or(Zone::UTC, |zone| zone.value.clone()),
        };
        self.windows.iter().map(window).collect()
    }

    /// Returns whom it tells.
    pub fn channels(&self) -> Vec<Channel> {
        self.notify.iter().filter_map(NotifyRule::channel).collect()
    }

    /// Returns the secrets that it refers to, each with the place that does so first.
    pub fn secrets(&self) -> BTreeMap<&SecretName, &Origin> {
        let mut secrets = BTreeMap::new();
        for (reference, place) in self.references() {
            if let Reference::Secret(name) = reference {
                secrets.entry(name).or_insert(place);
            }
        }
        secrets
    }

    /// Returns its references, each with its place.
    pub(super) fn references(&self) -> impl Iterator<Item = (&Reference, &Origin)> {
        let templates = self.notify.iter().flat_map(NotifyRule::values).map(|(_, value)| value);
        templates.flat_map(|template| template.value.references())
    }
}

impl NotifyRule {
    /// Returns the keys that are written, with their values.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, &Sourced<Template>)> {
        let Self { slack, webhook, secret, mail, server, from, user, password } = self;
        let values = [slack, webhook, secret, mail, server, from, user, password];
        let pairs = Self::KEYS.iter().zip(values);
        pairs.filter_map(|(key, value)| Some((*key, value.as_ref()?)))
    }

    /// Returns the values, for putting something into them.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Sourced<Template>> {
        let Self { slack, webhook, secret, mail, server, from, user, password } = self;
        [slack, webhook, secret, mail, server, from, user, password].into_iter().flatten()
    }

    /// Returns whom it means; `None` of a rule that was refused.
    fn channel(&self) -> Option<Channel> {
        let Self { slack, webhook, secret, mail, server, from, user, password } = self;
        if let Some(slack) = slack {
            return Some(Channel::Slack { url: address(slack) });
        }
        if let Some(webhook) = webhook {
            let secret = secret.as_ref().map(plain);
            return Some(Channel::Webhook { url: address(webhook), secret });
        }
        Some(Channel::Mail {
            to: plain(mail.as_ref()?),
            server: address(server.as_ref()?),
            from: plain(from.as_ref()?),
            login: user
                .as_ref()
                .zip(password.as_ref())
                .map(|(user, password)| (plain(user), plain(password))),
        })
    }
}

impl Spec {
    /// Returns what the loop does about a service's differences.
    pub fn watch_mode(&self, name: &ServiceName) -> WatchMode {
        let own = self.services.get(name).and_then(|service| service.settings.watch.as_ref());
        own.map_or_else(|| self.project_mode(), |own| own.value)
    }

    /// Returns what the loop may touch. What is everybody's, such as the gateway, goes by the project's mode.
    pub fn reach(&self) -> Reach {
        let here = self.services.iter().filter(|(_, service)| !service.is_external());
        let (healed, mut spared): (BTreeSet<ServiceName>, BTreeSet<ServiceName>) = here
            .map(|(name, _)| name.clone())
            .partition(|name| self.watch_mode(name) == WatchMode::Heal);
        let is_healing = self.project_mode() == WatchMode::Heal;
        if !is_healing {
            spared.extend(ServiceName::new(GATEWAY).ok());
        }
        // A project without services has something to heal, too: what was taken out of the file.
        let mode = if healed.is_empty() && (!is_healing || !spared.is_empty()) {
            WatchMode::Detect
        } else {
            WatchMode::Heal
        };
        Reach { mode, targets: if is_healing { BTreeSet::new() } else { healed }, spared }
    }

    fn project_mode(&self) -> WatchMode {
        self.watch.mode.as_ref().map_or(WatchMode::Heal, |mode| mode.value)
    }
}

fn plain(template: &Sourced<Template>) -> Text {
    text(&template.value, Encoding::Raw)
}

/// Returns a URL. A secret that is all of it is a URL by itself; in a part of one it is encoded.
fn address(template: &Sourced<Template>) -> Text {
    let is_whole = template.value.parts.len() == 1;
    text(&template.value, if is_whole { Encoding::Raw } else { Encoding::Url })
}

fn text(template: &Template, encoding: Encoding) -> Text {
    let parts = template.parts.iter().filter_map(|part| match part {
        TemplatePart::Plain(text) => Some(Part::Plain(text.clone())),
        TemplatePart::Reference(Reference::Secret(name), _) => {
            Some(Part::Secret(name.clone(), encoding))
        }
        // Variables have been put in, and others were refused when the file was read.
        TemplatePart::Reference(..) => None,
    });
    Text(parts.collect()).joined()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Keyring, Sensitive},
        spec::{Input, Source, parse},
    };

    fn spec(text: &str) -> Spec {
        let main = Source::new("nself.toml", format!("[project]\nname = \"shop\"\n{text}"));
        let process = BTreeMap::new();
        parse(&Input { main, overlay: None, environment: None, process }).unwrap().spec
    }

    /// Says what the loop may touch: its mode, the targets, and what is spared.
    fn reach(text: &str) -> String {
        let Reach { mode, targets, spared } = spec(text).reach();
        let list = |names: BTreeSet<ServiceName>| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            if names.is_empty() { "-".to_owned() } else { names.join(" ") }
        };
        format!("{}: {}: {}", mode.word(), list(targets), list(spared))
    }

    const API: &str = "[services.api]\nimage = \"a:1\"\n";
    const DB: &str = "[services.postgres]\n";

    #[test]
    fn what_may_be_touched() {
        let detect = "watch = \"detect\"\n";
        let heal = "watch = \"heal\"\n";
        let project = "[watch]\nmode = \"detect\"\n";
        assert_eq!(reach(""), "heal: -: -");
        assert_eq!(reach(&format!("{API}{DB}")), "heal: -: -");
        assert_eq!(reach(&format!("{API}{detect}{DB}")), "heal: -: api");
        assert_eq!(reach(&format!("{project}{API}{DB}")), "detect: -: api gateway postgres");
        assert_eq!(reach(&format!("{project}{API}{heal}{DB}")), "heal: api: gateway postgres");
        // All of them are in detect, and so is the project.
        assert_eq!(reach(&format!("{API}{detect}{DB}{detect}")), "detect: -: api postgres");
        let elsewhere = "[services.s3]\nexternal = true\nurl = \"http://a\"\n";
        assert_eq!(reach(&format!("{elsewhere}{API}{detect}")), "detect: -: api");
    }

    #[test]
    fn defaults_and_what_is_written() {
        let watch = spec("").watch;
        assert_eq!((watch.every(), watch.poll()), (Watch::EVERY, Watch::POLL));
        assert!(watch.windows().is_empty() && watch.channels().is_empty());
        let watch = spec(
            "[watch]\nevery = \"90s\"\npoll = \"10s\"\nwindows = [{ cron = \"0 3 * * sun\", for = \"2h\" }]\n",
        )
        .watch;
        assert_eq!((watch.every(), watch.poll()), (Millis(90_000), Millis(10_000)));
        let [window] = &watch.windows()[..] else { panic!("one window") };
        assert_eq!((window.length, &window.zone), (Millis(7_200_000), &Zone::UTC));
    }

    #[test]
    fn channels_read_as_something_only_with_the_secrets() {
        let watch = spec(
            r#"[watch]
notify = [
  { slack = "${secret.slack}" },
  { webhook = "https://${project.domain}/?t=${secret.odd}", secret = "${secret.odd}" },
  { mail = "ops@example.com", server = "smtp://mail.example.com", from = "a@b", user = "u", password = "${secret.odd}" },
]
"#,
        )
        .watch;
        let name = |text: &str| SecretName::new(text).unwrap();
        let values = [(name("slack"), "https://h/x?y=z"), (name("odd"), "a/b")];
        let values = values.map(|(name, value)| (name, Sensitive::new(value)));
        let keyring = Keyring::new(None, values.into());
        let read = |text: &Text| keyring.reveal(text).unwrap();
        let shown: Vec<String> = watch
            .channels()
            .iter()
            .map(|channel| match channel {
                Channel::Slack { url } => read(url).expose().to_owned(),
                Channel::Webhook { url, secret } => {
                    format!("{} {}", read(url).expose(), read(secret.as_ref().unwrap()).expose())
                }
                Channel::Mail { to, server, from, login } => {
                    let (user, password) = login.as_ref().unwrap();
                    let texts = [to, server, from, user, password].map(read);
                    texts.map(|it| it.expose().to_owned()).join(" ")
                }
            })
            .collect();
        assert_eq!(
            shown,
            [
                "https://h/x?y=z",
                "https://shop.localhost/?t=a%2Fb a/b",
                "ops@example.com smtp://mail.example.com a@b u a/b",
            ]
        );
        let names: Vec<&str> = watch.secrets().into_keys().map(SecretName::as_str).collect();
        assert_eq!(names, ["odd", "slack"]);
    }
}
