//! The habit of reading whole files: a copy, an archive, a checksum of each file of a folder.
//!
//! A reader proves to be one by going on, and its window grows from there; in a file of a few megabytes it comes to the end
//! by then. Whoever has read some files from the beginning to the end gets the next one at its first read. Files that are begun
//! and left, for the sake of their heads, end the habit.

/// What a file that was read whole counts, and what one counts that is begun.
const ENDED: u32 = 2;
const BEGUN: u32 = 1;
/// From here on it is a habit: two files.
const HABIT: u32 = 3;
/// No habit is stronger: three files that are left end it.
const MOST: u32 = 6;

/// How strong the habit is, over all files.
#[derive(Debug, Default)]
pub(super) struct Whole(u32);

impl Whole {
    /// True when the next file will be read whole by habit.
    pub fn is_habit(&self) -> bool {
        self.0 >= HABIT
    }

    /// A file that takes more than one read is begun; true when it will be read whole by habit.
    pub fn begins(&mut self) -> bool {
        let habit = self.is_habit();
        self.0 = self.0.saturating_sub(BEGUN);
        habit
    }

    /// A file that was begun was read to its end.
    pub fn ends(&mut self) {
        self.0 = (self.0 + ENDED).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_make_a_habit_and_some_that_are_left_end_it() {
        let mut whole = Whole::default();
        for habit in [false, false, true, true] {
            assert_eq!(whole.begins(), habit);
            whole.ends();
        }
        let left = (0..100).filter(|_| whole.begins()).count();
        assert!((1..=4).contains(&left), "{left}");
        whole.ends();
        assert!(!whole.begins());
    }
}
