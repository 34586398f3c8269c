//! What persons were told of one thing, and whether there is news of it.

use serde::{Deserialize, Serialize};

/// What comes more often than this within [`WINDOW`] comes and goes.
const OFTEN: usize = 3;
/// Within what time comings are counted, and how long a thing that came and went is quiet before there is news
/// of it again; in milliseconds.
const WINDOW: u64 = 10 * 60 * 1_000;

/// What persons were told of one thing. It is kept while they believe that it stands, and for a while longer so
/// that its next coming is counted with the ones before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The line they were told.
    pub title: String,
    /// When it came last, in milliseconds since 1970.
    pub since: u64,
    /// When it came or went last, in milliseconds since 1970.
    pub moved: u64,
    /// Whether it stands, as far as it was seen.
    pub stands: bool,
    /// What they believe.
    pub belief: Belief,
    /// When it came, in milliseconds since 1970: the last few times, newest last.
    pub comings: Vec<u64>,
}

/// What persons believe of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Belief {
    /// That it is so.
    Stands,
    /// That it is not.
    Over,
    /// That it comes and goes.
    Flapping,
}

/// What is new of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It is so now.
    Begun,
    /// It is so no longer.
    Over,
    /// It comes and goes, and came so often.
    Flapping(usize),
}

impl Told {
    /// Makes what there is of a thing nobody was told of.
    pub(super) fn new(now: u64) -> Self {
        Self {
            title: String::new(),
            since: now,
            moved: now,
            stands: false,
            belief: Belief::Over,
            comings: Vec::new(),
        }
    }

    /// Notes that it stands. Returns what is new of it.
    pub(super) fn stands(&mut self, now: u64) -> Option<News> {
        self.mind(now);
        let was_quiet = self.is_quiet(now);
        if !self.stands {
            self.stands = true;
            (self.since, self.moved) = (now, now);
            self.comings.push(now);
            self.comings.drain(..self.comings.len().saturating_sub(OFTEN + 1));
        }
        match self.belief {
            Belief::Stands => None,
            Belief::Flapping if !was_quiet => None,
            Belief::Over if self.comings.len() > OFTEN => {
                self.belief = Belief::Flapping;
                Some(News::Flapping(self.comings.len()))
            }
            Belief::Over | Belief::Flapping => {
                self.belief = Belief::Stands;
                Some(News::Begun)
            }
        }
    }

    /// Notes that it is gone. Returns what is new of it.
    pub(super) fn is_gone(&mut self, now: u64) -> Option<News> {
        self.mind(now);
        if self.stands {
            self.stands = false;
            self.moved = now;
        }
        match self.belief {
            Belief::Over => None,
            Belief::Flapping if !self.is_quiet(now) => None,
            Belief::Stands | Belief::Flapping => {
                self.belief = Belief::Over;
                Some(News::Over)
            }
        }
    }

    /// Returns whether it can be forgotten: persons know that it is over, and no coming counts any more.
    pub(super) fn is_settled(&self, now: u64) -> bool {
        self.belief == Belief::Over && self.is_quiet(now)
    }

    /// Returns when there may be news although nothing happens.
    pub(super) fn due(&self) -> Option<u64> {
        (self.belief == Belief::Flapping).then(|| self.moved.saturating_add(WINDOW))
    }

    fn is_quiet(&self, now: u64) -> bool {
        now.saturating_sub(self.moved) >= WINDOW
    }

    /// Forgets comings that no longer count. What lies ahead was written before the clock was moved back, and
    /// counts as of now: otherwise the silence would last until the clock is there again.
    fn mind(&mut self, now: u64) {
        self.since = self.since.min(now);
        self.moved = self.moved.min(now);
        for coming in &mut self.comings {
            *coming = (*coming).min(now);
        }
        self.comings.retain(|coming| now - *coming < WINDOW);
    }
}
