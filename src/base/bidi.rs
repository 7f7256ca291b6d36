//! Text that turns the text around it.

/// Whether `char` sets the direction of what follows (the embeddings, overrides and isolates of Unicode's annex 9):
/// text of others could show a terminal or a log something else than it says.
pub fn turns_text(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
