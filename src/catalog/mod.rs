//! What nself knows about each kind of service: one file a kind, one word in `kinds!`.
//!
//! A kind says which image it is, what it offers to others and what its container looks like; it never
//! names another kind, reads no file and talks to no engine. Everything about a kind that another room
//! needs is in [`Kind`] (static) or [`Blueprint`] (computed from its options).

mod blueprint;
mod inner;
mod kind;
mod probe;

pub use blueprint::{
    Blueprint, Certificate, Check, DataVolume, Earlier, File, Generated, InnerSpec, Reload, Route,
    Site,
};
pub use inner::{Attribute, InnerDriver, Inside, Statement, verifies};
pub use kind::{Context, ImageSource, Kind, NO_TURNS, Offer, Recipe, Release};
pub use probe::{HealthCheck, Probe};

use crate::model::{
    Diagnostic, Origin, Text,
    decode::{Key, Table},
};

/// Declares the kinds. Each word is a module with `KIND`, `Options` (made by [`table!`](crate::table)),
/// `blueprint`, `offers` and `check`.
macro_rules! kinds {
    ($($module:ident => $variant:ident,)+) => {
        $(pub mod $module;)+

        /// What a person wrote for one service in the words of its kind.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Options {
            $(
                #[doc = concat!("Of a `", stringify!($module), "`.")]
                $variant($module::Options),
            )+
        }

        /// All kinds, by name.
        pub const KINDS: &[&Kind] = &[$(&$module::KIND),+];

        impl Options {
            /// Returns the kind they belong to.
            pub fn kind(&self) -> &'static Kind {
                match self { $(Self::$variant(_) => &$module::KIND,)+ }
            }

            /// Returns the keys of a kind, with documentation and shape.
            pub fn keys(kind: &Kind) -> Vec<Key> {
                match kind.name {
                    $(name if name == $module::KIND.name => $module::Options::keys(),)+
                    _ => Vec::new(),
                }
            }

            /// Reads the keys of `kind` out of a service's table, leaving other keys to the caller.
            pub fn decode_keys(
                kind: &Kind,
                table: &Table,
                owner: Option<&Origin>,
                problems: &mut Vec<Diagnostic>,
            ) -> Option<Self> {
                match kind.name {
                    $(name if name == $module::KIND.name =>
                        $module::Options::decode_keys(table, owner, problems).map(Self::$variant),)+
                    _ => None,
                }
            }

            /// Draws up the service.
            pub fn blueprint(&self, context: &Context<'_>) -> Blueprint {
                match self { $(Self::$variant(options) => $module::blueprint(options, context),)+ }
            }

            /// Returns what the service offers to others, in the order of [`Kind::offers`].
            pub fn offers(&self, context: &Context<'_>) -> Vec<(&'static str, Text)> {
                match self { $(Self::$variant(options) => $module::offers(options, context),)+ }
            }

            /// Returns what is wrong with the options.
            pub fn check(&self, context: &Context<'_>) -> Vec<Diagnostic> {
                match self { $(Self::$variant(options) => $module::check(options, context),)+ }
            }
        }
    };
}

kinds! {
    container => Container,
    gateway => Gateway,
    job => Job,
    mailpit => Mailpit,
    postgres => Postgres,
    redis => Redis,
}

impl Kind {
    /// Returns the kind of that name.
    pub fn named(name: &str) -> Option<&'static Kind> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

#[cfg(test)]
mod tests;
