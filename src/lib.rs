//! nself runs a complete backend from one file: what `nself.toml` says is compared with what the engine
//! says is there, field by field, and the difference is made to vanish.
//!
//! # One pass
//!
//! ```text
//! source::read → spec::parse → desired::compile → desired::check
//!              → engine.observe → diff::diff → plan::plan → apply::apply → record
//! ```
//!
//! `nself plan` is the pass stopped before apply, on an engine that cannot write. `nself apply` is one
//! pass. `destroy` is a pass towards nothing, `stop` a pass in which services are suspended. Whatever
//! seems to need a second road is in the wrong room.
//!
//! # Rooms
//!
//! The modules below stand in reading order, and a room uses only rooms above it; `tests/it/tidy.rs`
//! holds the table. Pure rooms take values and return values: no clock, no disk, no environment, no
//! engine. What they may not fetch comes in as values ([`desired::Facts`], [`spec::Input`]).
//!
//! | room | what it is for |
//! | --- | --- |
//! | [`model`] | names, sizes, images, texts with secrets in them, diagnostics; reading typed values with their places |
//! | [`catalog`] | what is known of each kind of service: one file a kind, one word in `kinds!` |
//! | [`spec`] | the text of `nself.toml` to a [`spec::Spec`], or every mistake at once |
//! | [`desired`] | what should exist, with nothing left to choose, and its independent checker |
//! | [`observed`] | the types of one dated look; the wire form of labels and of the record |
//! | [`diff`] | desired against live, field by field, and who moved what |
//! | [`plan`] | differences to steps, holds and reasons; the vocabulary of effects ([`plan::Op`]) and events |
//! | [`doctor`] | what is wrong or soon will be: rules over facts, and the repairs that can do no harm |
//! | [`compose`] | a project of Docker Compose in the words of `nself.toml` |
//! | [`edit`] | live values written into `nself.toml`, comments kept |
//! | [`sync`] | the loop's decisions: what to bring about, whether now, when to look again, what to tell |
//! | [`source`] | where files and build folders are read; git repositories, and changes of files |
//! | [`notice`] | notifications, and the status of commits |
//! | [`secret`], [`cert`] | the vault; the local certificate authority |
//! | [`history`] | what was done, by whom, from what, in a file that shows when it was changed |
//! | [`engine`] | look, and do one thing: `docker`, `sim` (in memory), `faulty`, read-only |
//! | [`apply`] | walks a plan, decides nothing |
//! | [`controller`] | puts the rooms together to a pass |
//! | [`report`] | changes, plans and events as text and JSON |
//! | [`web`] | webhooks in; pages, data and metrics out |
//! | [`cli`] | the command line: the only room that prints |
//!
//! To follow a parameter, search for its name: it appears once an arrow of the pass. `memory`, say, is
//! read in `spec::settings`, put into [`desired::Limits`], compared as [`desired::Field::Memory`], given
//! its effect in [`diff::effect`], and sent by `engine::docker`.
//!
//! # Invariants
//!
//! - **Desired ≠ live alone decides.** What was last applied (labels, record) only explains who moved it; the
//!   record adds what no live state can tell: what a person stopped, and which jobs are done.
//! - **Nothing is forgotten by accident.** A container is taken apart field by field, without `..`, where it
//!   is compared and where it is sent; each [`desired::Field`] has its effect in one exhaustive table.
//! - **A plan shows all that apply does.** Both are the same value; `plan` holds an engine without a method
//!   to write with ([`engine::Observe`]).
//! - **`apply` and `engine` decide nothing.** What brings back the old container when the new one fails is
//!   in the plan, step by step.
//! - **Doing what is already done succeeds**, so a plan can be made and applied again after a crash. Repair is
//!   derived from what is seen, not from a journal.
//! - **A secret cannot be printed.** [`model::Text`] names it, [`model::Keyring`] knows it, and what is revealed
//!   is [`model::Sensitive`], which has no `Display`. Labels hold keyed fingerprints.
//! - **A new value of a secret is a plan.** The vault says which value is wanted and how often it has changed
//!   ([`desired::Facts`]); the desired state opens one of two logins and closes the other after everybody has
//!   gone over. Only what came of it decides which value stays ([`controller::Rotation`]).
//! - **Data goes only by name.** A volume is removed only when a [`plan::Release`] names it.
//! - **What is not ours is not touched.** Ours is what carries our labels, or what the record says was adopted.
//!
//! # What outlives a version
//!
//! Whatever an earlier nself wrote is read by a later one, which plans no change because of it; what a newer
//! one wrote is refused by name. Each form is a number that its reader looks at first:
//!
//! | what | forms | where it is written and read |
//! | --- | --- | --- |
//! | the label `dev.nself.applied` | 1 | [`observed::Applied`]; a newer one only hides who moved what |
//! | the record, in a label of a volume | 1 | [`observed::Record`] |
//! | `.nself/secrets.toml`, plain or in an age file | 1, 2 | `secret::content` |
//! | `.nself/history.db` | 1 | [`history::History`] |
//! | `watch.json`, what the loop remembers | 1 | [`sync::Ledger`] |
//! | saved plans | 1 | [`plan::Saved`] |
//! | `--json` | 1.0, and Terraform's 1.2 | `report::json`; written only |
//!
//! The other labels are words with one meaning each, and generated files are compared by what they read as.
//! Where a kind's container or files change, the forms before go into [`catalog::Earlier`], and a service that
//! runs in one keeps it until it is made anew. `tests/it/upgrade` holds what each version left behind;
//! `tests/it/upgrade/capture VERSION` adds a folder at each release, and whoever changes a form first.
//!
//! # Vocabulary
//!
//! *Spec*: what the person wrote. *Desired*: what follows from it. *Observed*: one look. *Change*: a resource
//! that differs. *Drift*: a change that somebody else made. *Plan*, *step*, *op*: what is to be done, in
//! what order, by which call. *Held*: waits for a *release* by name. *Deferred*: cannot be seen yet.
//! *Target*: a service that is asked for; *left out*: what differs and is not. *Rule*: one `[[policy]]`.
//! *Away*: from a container's stop until it, or what takes its place, is ready.
//! *Record*: the project's memory on the engine. *Orphan*: ours, and not wanted. *Pass*: all of it once.

pub mod model;
pub mod catalog;
pub mod spec;
pub mod desired;
pub mod observed;
pub mod diff;
pub mod plan;
pub mod doctor;
pub mod compose;
pub mod edit;
pub mod sync;
pub mod source;
pub mod notice;
pub mod secret;
pub mod cert;
pub mod history;
pub mod engine;
pub mod apply;
pub mod controller;
pub mod report;
pub mod web;
pub mod cli;
