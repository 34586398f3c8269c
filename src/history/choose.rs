//! Which earlier apply is meant.

use super::{Command, Found, Return, Run};

/// Returns the last apply that ended well and was about everything: what all should be as when another
/// one fails. `runs` are the latest first.
pub fn last_good(runs: &[Run]) -> Option<&Run> {
    let standing =
        runs.split(|run| run.is_good() && run.begun.command == Command::Destroy).next()?;
    standing.iter().find(|run| run.is_good() && run.begun.command.is_about_all())
}

/// Returns the apply that a person means who asks to go back without saying how far: the last good one
/// before what stands, made from something else. After a return it is the one before that which was
/// returned to, so that asking again goes further back.
pub fn to_return_to(runs: &[Run]) -> Option<&Run> {
    let mut rest = runs.iter().skip_while(|run| !run.begun.command.is_about_all() && !run.is_end());
    let standing = rest.next()?;
    let mut good = rest.filter(|run| run.is_good() && run.begun.command.is_about_all());
    if standing.is_end() {
        return good.next();
    }
    if !standing.is_good() {
        return good.find(|run| !run.is_alike(standing));
    }
    let before = standing.origin().entry;
    good.find(|run| run.number < before && !run.is_alike(standing))
}

/// Returns the last apply that made a generation.
pub fn of_generation(runs: &[Run], generation: u64) -> Option<&Run> {
    runs.iter().find(|run| run.generations().contains(&generation))
}

impl Run {
    /// Returns the generations it made: mostly one, more when things could only be seen on the way.
    pub fn generations(&self) -> std::ops::RangeInclusive<u64> {
        let first = self.begun.generation;
        first..=self.ended.as_ref().map_or(first, |ended| ended.generation.max(first))
    }

    /// Returns whether it ended with all as the configuration says, but for what a person holds.
    pub fn is_good(&self) -> bool {
        let found = self.ended.as_ref().map(|ended| ended.found);
        matches!(found, Some(Found::Done | Found::Held))
    }

    /// Returns whether everything went with it.
    fn is_end(&self) -> bool {
        self.begun.command == Command::Destroy && self.is_good()
    }

    /// Returns the apply whose configuration stands after it: itself, or what it returned to.
    pub fn origin(&self) -> Return {
        let itself = Return { entry: self.number, generation: *self.generations().end() };
        self.begun.returns_to.unwrap_or(itself)
    }

    /// Returns whether both were made from the same.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.begun.configuration == other.begun.configuration
            && self.begun.secrets == other.begun.secrets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Begun, Configuration, Ended, Text};

    /// One apply a word: its number is its place; `a`, `b`, … its configuration; `!` that it failed;
    /// `<N` that it returned to N; `x` that everything went.
    fn runs(words: &str) -> Vec<Run> {
        let run = |(place, word): (usize, &str)| {
            let number = i64::try_from(place).unwrap() + 1;
            let generation = u64::try_from(place).unwrap() + 1;
            let back = word.split_once('<').map(|(_, to)| to.parse::<i64>().unwrap());
            let command = match word.as_bytes()[0] {
                b'x' => Command::Destroy,
                b's' => Command::Stop,
                _ if back.is_some() => Command::Rollback,
                _ => Command::Apply,
            };
            let found = if word.contains('!') { Found::Failed } else { Found::Done };
            let main = Text::new("nself.toml", &word[..1]);
            Run {
                number,
                begun: Begun {
                    at: 0,
                    project: "shop".into(),
                    instance: None,
                    engine: "E".into(),
                    generation,
                    command,
                    user: String::new(),
                    host: String::new(),
                    nself: String::new(),
                    returns_to: back.map(|entry| Return { entry, generation: 0 }),
                    revision: None,
                    configuration: Configuration { main, ..Configuration::default() },
                    secrets: [].into(),
                    changes: Vec::new(),
                },
                ended: Some(Ended { at: 0, generation, found, steps: vec![], away: [].into() }),
            }
        };
        let mut runs: Vec<Run> = words.split_whitespace().enumerate().map(run).collect();
        runs.reverse();
        runs
    }

    #[test]
    fn going_back_goes_to_what_was_before() {
        let cases = [
            ("", None),
            ("a", None),
            ("a b", Some(1)),
            ("a b!", Some(1)),
            ("a! b", None),
            ("a b b", Some(1)),
            ("a b s", Some(1)),
            ("a b c c<2", Some(1)),
            ("a b c b<2", Some(1)),
            ("a b c b<2 a<1", None),
            ("a b c b<2 d", Some(4)),
            ("a b a!", Some(2)),
            ("a b x", Some(2)),
        ];
        for (words, expected) in cases {
            let runs = runs(words);
            assert_eq!(to_return_to(&runs).map(|run| run.number), expected, "{words}");
        }
    }

    #[test]
    fn what_failed_is_never_returned_to() {
        let cases =
            [("", None), ("a!", None), ("a b!", Some(1)), ("a b s", Some(2)), ("a x", None)];
        for (words, expected) in cases {
            let runs = runs(words);
            assert_eq!(last_good(&runs).map(|run| run.number), expected, "{words}");
        }
    }
}
