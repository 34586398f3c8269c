//! A page that never grows longer than a comment may be.

/// What the largest code host takes as a comment, in characters.
const MOST: usize = 65_536;
/// Kept free for the last lines, which say what was left out and what to do next.
const LAST: usize = 1_000;

/// A page, and what did not fit on it.
pub(super) struct Page {
    text: String,
    length: usize,
    whole: String,
    rows: usize,
    folds: usize,
    last: String,
}

impl Page {
    /// Returns a page with its first lines; `whole` is the command that shows all of it.
    pub(super) fn new(opening: &str, whole: &str) -> Self {
        Self {
            length: opening.chars().count(),
            text: opening.to_owned(),
            whole: whole.to_owned(),
            rows: 0,
            folds: 0,
            last: String::new(),
        }
    }

    /// Begins a list or table.
    pub(super) fn open(&mut self, head: &str) {
        self.fits(head);
    }

    /// Adds a line of a list or table, or counts it as left out.
    pub(super) fn row(&mut self, row: &str) {
        self.rows += usize::from(!self.fits(row));
    }

    /// Adds the fields of one resource, or counts it as left out; nothing is nothing.
    pub(super) fn fold(&mut self, block: &str) {
        self.folds += usize::from(!self.fits(block));
    }

    /// Sets what stands last, however long the page is.
    pub(super) fn last(&mut self, line: &str) {
        line.clone_into(&mut self.last);
    }

    /// Returns the page.
    pub(super) fn end(self) -> String {
        let Self { mut text, length, whole, rows, folds, last } = self;
        let mut left = Vec::new();
        if rows > 0 {
            left.push(format!("{rows} lines"));
        }
        if folds > 0 {
            left.push(format!("the details of {folds} resources"));
        }
        let mut tail = String::new();
        if !left.is_empty() {
            let left = left.join(" and ");
            tail = format!("\n**Left out**, because a comment has its limit: {left}. All of it: ");
            tail += &super::code(&whole);
            tail.push('\n');
        }
        if !last.is_empty() {
            tail.push('\n');
            tail += &last;
        }
        if length + tail.chars().count() <= MOST {
            text += &tail;
        }
        text
    }

    /// Adds a piece if there is room for it.
    fn fits(&mut self, piece: &str) -> bool {
        let length = self.length + piece.chars().count();
        let fits = length + LAST <= MOST;
        if fits {
            self.text += piece;
            self.length = length;
        }
        fits
    }
}
