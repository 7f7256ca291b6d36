//! The five kinds of request, for counting them and for aiming faults at them.

use serde::Serialize;

/// What a request asks the store to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    Get,
    Put,
    Head,
    List,
    Delete,
}

impl RequestKind {
    /// The word that errors use for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Head => "head",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}
