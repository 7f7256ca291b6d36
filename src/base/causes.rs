//! An error with everything it came from, for a line of a log or a terminal.

use std::error::Error;

/// The error and its causes in one line. A cause that the text before it quotes already is left out.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Failed {
        what: &'static str,
        source: Option<Box<Failed>>,
    }

    #[test]
    fn each_cause_is_said_once() {
        let cause = |what, source| Some(Box::new(Failed { what, source }));
        let quoting = cause("object 7: no such key", cause("no such key", cause("404", None)));
        let error = Failed { what: "reading", source: quoting };
        assert_eq!(with_causes(&error), "reading: object 7: no such key: 404");
    }
}
