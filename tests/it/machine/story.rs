//! The story: what may happen next, and what is true of the file and the engine's line after it.

use std::{collections::BTreeSet, fmt};

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::file::{Edit, File, Name, Tag, edit, file, name};

/// What a story needs to know to go on.
#[derive(Clone)]
pub(super) struct State {
    pub(super) file: File,
    /// Whether nobody answers at the engine's address.
    pub(super) down: bool,
}

/// Something that happens.
#[derive(Clone)]
pub(super) enum Transition {
    /// A person edits the file.
    Edit(Edit),
    /// A person does something with the engine's own tools.
    Act(Act),
    EngineDown,
    EngineUp,
    /// A look that writes nothing.
    Plan,
    /// One pass.
    Pass(Way),
    /// Two passes at once, whose calls take turns as the bits say.
    Both {
        turns: u64,
        waits: bool,
    },
}

/// What a pass is for, and what becomes of it.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) aim: Aim,
    /// Whether what would be held is released, each by its name.
    pub(super) release: bool,
    pub(super) fate: Fate,
}

#[derive(Clone)]
pub(super) enum Aim {
    Apply,
    Stop(BTreeSet<Name>),
    Start(BTreeSet<Name>),
    Restart(BTreeSet<Name>),
    Destroy,
}

/// What becomes of the process that passes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fate {
    Lives,
    /// It is killed at that call to the engine, which takes effect or does not.
    Dies {
        call: usize,
        done: bool,
    },
    /// The engine does not answer from that call on, which may have taken effect.
    LosesEngine {
        call: usize,
        done: bool,
    },
}

/// What a person does with the engine's own tools.
#[derive(Clone)]
pub(super) enum Act {
    Kill(Name),
    Stop(Name),
    Start(Name),
    Pause(Name),
    Rename(Name),
    Remove(Name),
    Limit(Name, u8),
    Restart(Name),
    Detach(Name),
    Alias(Name),
    /// Attaches it to a network of somebody else.
    Attach(Name),
    /// Makes another container with its labels beside it.
    Copy(Name),
    /// Makes it anew by hand, with its labels and one more.
    Label(Name),
    /// Makes it anew by hand, without our labels.
    Unlabel(Name),
    RemoveNetwork,
    /// Tries to remove a volume that the file does or does not name.
    RemoveVolume(Name, super::file::Keeps),
    /// Loses what nself remembers.
    Forget,
    /// Gives a tag the image of another one.
    MoveTag(Tag, u8),
    /// A service writes something down for good.
    Write(Name, u8),
    Stranger(Stranger),
    /// Everything of somebody else goes.
    StrangersGo,
}

/// Something of somebody else, made where there is room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stranger {
    /// A container with nothing in common.
    Elsewhere,
    /// A container of another project of nself that says it is the same resource.
    OtherProject(Name),
    AtName(Name),
    AtNext(Name),
    /// A container on our network.
    Guest,
    OnPort(u8),
    Volume(Name),
    Network,
}

pub(super) struct Story;

impl ReferenceStateMachine for Story {
    type State = State;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<State> {
        file().prop_map(|file| State { file, down: false }).boxed()
    }

    fn transitions(state: &State) -> BoxedStrategy<Transition> {
        if state.down {
            return prop_oneof![
                3 => Just(Transition::EngineUp),
                1 => edit_of(&state.file).prop_map(Transition::Edit),
                1 => Just(Transition::Plan),
                1 => aim().prop_map(|aim| {
                    Transition::Pass(Way { aim, release: false, fate: Fate::Lives })
                }),
            ]
            .boxed();
        }
        prop_oneof![
            20 => edit_of(&state.file).prop_map(Transition::Edit),
            24 => act().prop_map(Transition::Act),
            2 => Just(Transition::EngineDown),
            6 => Just(Transition::Plan),
            38 => way().prop_map(Transition::Pass),
            4 => (any::<u64>(), any::<bool>())
                .prop_map(|(turns, waits)| Transition::Both { turns, waits }),
        ]
        .boxed()
    }

    fn preconditions(state: &State, transition: &Transition) -> bool {
        match transition {
            Transition::Edit(edit) => state.file.allows(edit),
            Transition::EngineUp => state.down,
            Transition::Plan => true,
            Transition::Pass(way) => !state.down || way.fate == Fate::Lives,
            Transition::Act(_) | Transition::EngineDown | Transition::Both { .. } => !state.down,
        }
    }

    fn apply(mut state: State, transition: &Transition) -> State {
        match transition {
            Transition::Edit(edit) => state.file.edit(edit),
            Transition::EngineDown => state.down = true,
            Transition::EngineUp => state.down = false,
            Transition::Act(_)
            | Transition::Plan
            | Transition::Pass(_)
            | Transition::Both { .. } => {}
        }
        state
    }
}

fn edit_of(file: &File) -> impl Strategy<Value = Edit> + use<> {
    let file = file.clone();
    edit().prop_filter("an edit of something else", move |edit| file.allows(edit))
}

fn aim() -> impl Strategy<Value = Aim> {
    let some = || prop::collection::btree_set(name(), 0..3);
    prop_oneof![
        24 => Just(Aim::Apply),
        2 => some().prop_map(Aim::Stop),
        2 => some().prop_map(Aim::Start),
        1 => some().prop_map(Aim::Restart),
        1 => Just(Aim::Destroy),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    let fate = prop_oneof![
        6 => Just(Fate::Lives),
        2 => (0..30usize, any::<bool>()).prop_map(|(call, done)| Fate::Dies { call, done }),
        1 => (0..30usize, any::<bool>()).prop_map(|(call, done)| Fate::LosesEngine { call, done }),
    ];
    (aim(), prop::bool::weighted(0.4), fate).prop_map(|(aim, release, fate)| Way {
        aim,
        release,
        fate,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let keeps = || prop::sample::select(vec![super::file::Keeps::Data, super::file::Keeps::Files]);
    prop_oneof![
        3 => name().prop_map(Act::Kill),
        2 => name().prop_map(Act::Stop),
        1 => name().prop_map(Act::Start),
        2 => name().prop_map(Act::Pause),
        2 => name().prop_map(Act::Rename),
        2 => name().prop_map(Act::Remove),
        2 => (name(), 0..2u8).prop_map(|(name, to)| Act::Limit(name, to)),
        2 => name().prop_map(Act::Restart),
        2 => name().prop_map(Act::Detach),
        2 => name().prop_map(Act::Alias),
        1 => name().prop_map(Act::Attach),
        1 => name().prop_map(Act::Copy),
        1 => name().prop_map(Act::Label),
        1 => name().prop_map(Act::Unlabel),
        2 => Just(Act::RemoveNetwork),
        2 => (name(), keeps()).prop_map(|(name, keeps)| Act::RemoveVolume(name, keeps)),
        1 => Just(Act::Forget),
        2 => (prop::sample::select(vec![Tag::One, Tag::Two]), 0..3u8)
            .prop_map(|(tag, to)| Act::MoveTag(tag, to)),
        6 => (name(), any::<u8>()).prop_map(|(name, word)| Act::Write(name, word)),
        4 => stranger().prop_map(Act::Stranger),
        1 => Just(Act::StrangersGo),
    ]
}

fn stranger() -> impl Strategy<Value = Stranger> {
    prop_oneof![
        Just(Stranger::Elsewhere),
        name().prop_map(Stranger::OtherProject),
        name().prop_map(Stranger::AtName),
        name().prop_map(Stranger::AtNext),
        Just(Stranger::Guest),
        (0..2u8).prop_map(Stranger::OnPort),
        name().prop_map(Stranger::Volume),
        Just(Stranger::Network),
    ]
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let down = if self.down { ", and no engine" } else { "" };
        write!(f, "a file with {:?}{down}", self.file.0)
    }
}

impl fmt::Debug for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edit(edit) => write!(f, "{edit:?}"),
            Self::Act(act) => write!(f, "{act:?}"),
            Self::EngineDown => f.write_str("the engine goes down"),
            Self::EngineUp => f.write_str("the engine is back"),
            Self::Plan => f.write_str("nself plan"),
            Self::Pass(way) => write!(f, "{way:?}"),
            Self::Both { turns, waits } => {
                let waits = if *waits { ", waiting for each other" } else { "" };
                write!(f, "nself apply twice at once{waits} (turns {turns:#x})")
            }
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aim, release, fate } = self;
        let release = if *release { ", all that is held allowed" } else { "" };
        write!(f, "{aim:?}{release}{fate:?}")
    }
}

impl fmt::Debug for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply => f.write_str("nself apply"),
            Self::Stop(some) => write!(f, "nself stop {some:?}"),
            Self::Start(some) => write!(f, "nself start {some:?}"),
            Self::Restart(some) => write!(f, "nself restart {some:?}"),
            Self::Destroy => f.write_str("nself destroy"),
        }
    }
}

impl fmt::Debug for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = |call: usize, done: bool| {
            format!("call {call}, which {}", if done { "takes effect" } else { "does nothing" })
        };
        match *self {
            Self::Lives => Ok(()),
            Self::Dies { call, done } => write!(f, ", killed at {}", which(call, done)),
            Self::LosesEngine { call, done } => {
                write!(f, "; the engine is gone from {}", which(call, done))
            }
        }
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("somebody ")?;
        match self {
            Self::Kill(name) => write!(f, "kills {name:?}"),
            Self::Stop(name) => write!(f, "stops {name:?} on the engine"),
            Self::Start(name) => write!(f, "starts {name:?} on the engine"),
            Self::Pause(name) => write!(f, "pauses {name:?}"),
            Self::Rename(name) => write!(f, "renames the container of {name:?}"),
            Self::Remove(name) => write!(f, "removes the container of {name:?}"),
            Self::Limit(name, to) => write!(f, "limits the memory of {name:?} ({to})"),
            Self::Restart(name) => write!(f, "changes the restart policy of {name:?}"),
            Self::Detach(name) => write!(f, "takes {name:?} off its network"),
            Self::Alias(name) => write!(f, "gives {name:?} another alias"),
            Self::Attach(name) => write!(f, "puts {name:?} on a network of theirs"),
            Self::Copy(name) => write!(f, "makes a copy of {name:?}, labels and all"),
            Self::Label(name) => write!(f, "makes {name:?} anew with a label more"),
            Self::Unlabel(name) => write!(f, "makes {name:?} anew without labels"),
            Self::RemoveNetwork => f.write_str("removes the network"),
            Self::RemoveVolume(name, keeps) => {
                write!(f, "tries to remove the volume {keeps:?} of {name:?}")
            }
            Self::Forget => f.write_str("removes the record"),
            Self::MoveTag(tag, to) => write!(f, "gives tag {} image number {to}", tag.text()),
            Self::Write(name, word) => write!(f, "has {name:?} write down {word}"),
            Self::Stranger(stranger) => write!(f, "makes something of their own: {stranger:?}"),
            Self::StrangersGo => f.write_str("removes all of their own"),
        }
    }
}
