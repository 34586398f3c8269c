//! The loop's face on the network: webhooks in, pages, data and metrics out.
//!
//! It never touches an engine: it shows what the loop published, and hands on what people ask for. [`serve`] does
//! it all, at an address, at a file that only its owner can open ([`Listener`]), or both.
//!
//! | address | what is there |
//! | --- | --- |
//! | `GET /status` | the page; `/` leads there |
//! | `GET /events` | the page's changes, as server-sent events named `status` |
//! | `GET /api/status` | the same for machines: `schemas/watch.schema.json` |
//! | `POST /api/look`, `pause`, `resume`, `retry`, `approve` | requests; over the network with a token ([`Tokens`]) |
//! | `POST /hooks/NAME` | webhooks ([`hooks`]) |
//! | `GET /healthz` | 200 while every loop comes round |
//! | `GET /readyz` | 200 while a pass was made and nothing is in the way |
//! | `GET /metrics` | the metrics below, as `OpenMetrics` |
//! | `/p/NAME/…` | the same of one of several projects |
//!
//! Refusals are `application/problem+json`. Pages are shown under addresses and local names only, unless more
//! names are given to [`Faces::new`]: a name that somebody else owns could be made to lead here.
//!
//! # Metrics
//!
//! All but the last three have the label `project`.
//!
//! | name | kind | what it says |
//! | --- | --- | --- |
//! | `nself_sync_state{state}` | gauge | 1 at the `state` that holds: `unknown`, `in_sync`, `last_good`, `out_of_sync` |
//! | `nself_passes_total{result}` | counter | passes, by `nothing`, `done`, `left`, `returned`, `failed` |
//! | `nself_pass_seconds` | histogram | how long passes took |
//! | `nself_last_success_timestamp_seconds` | gauge | when the last pass ended as `nothing` or `done` |
//! | `nself_drift_resources` | gauge | resources that were changed behind our back |
//! | `nself_different_resources` | gauge | resources that are not as they should be, for whatever reason |
//! | `nself_held` | gauge | changes that wait for a person |
//! | `nself_service_up{service}` | gauge | 1 while a service is as it should be |
//! | `nself_service_restarts{service}` | gauge | how often the engine started its containers again |
//! | `nself_quarantined` | gauge | 1 while the head failed and is not tried again |
//! | `nself_paused` | gauge | 1 while a person paused it |
//! | `nself_trouble` | gauge | how many things are in the way: the repository, the engine, the file |
//! | `nself_generation` | gauge | the generation that stands |
//! | `nself_started_timestamp_seconds` | gauge | since when the loop runs |
//! | `nself_webhooks_total{provider,result}` | counter | by `taken`, `ping`, `ignored`, `replayed`, `wrong`, `too_many`, `busy`, `refused` |
//! | `nself_build_info{version}` | info | which nself this is |
//!
//! # What it withstands
//!
//! 64 connections at once over the network and 16 at the file, each for ten minutes at most; 10 seconds for the
//! head of a request and for its body; what is kept of a flood is a fixed number of counters. Of wrong webhooks and
//! tokens nothing is started, and one line a minute is logged.

mod act;
mod clock;
mod events;
mod faces;
mod health;
pub mod hooks;
mod listen;
mod metrics;
pub mod page;
mod problem;
pub mod rate;
mod route;
mod serve;
mod store;
mod token;

pub use faces::{Face, Faces};
pub use hooks::{Follows, Hooks};
pub use listen::{ListenError, Listener};
pub use serve::serve;
pub use token::{Scope, TokenError, Tokens};
