//! Putting our statements among the others', and taking them out again.

use super::scope::Scope;
use super::statement::{Statement, Topic};
use super::{PolicyDocument, PolicyError};

/// A change of a bucket's policy that has not been made yet.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The policy afterwards; `None` when nothing is left of it.
    pub document: Option<PolicyDocument>,
    /// Statements of ours that go.
    pub gone: Vec<Statement>,
    /// Statements of ours that come.
    pub come: Vec<Statement>,
    /// How many statements stay as they are.
    pub kept: usize,
}

impl Merge {
    /// Puts `statements`, which are all that is said on `topics` within `scope`, into `policy`: at the place of the
    /// first one that they replace, else at the end.
    ///
    /// # Errors
    /// None that can be met.
    pub fn demand(
        policy: Option<&PolicyDocument>,
        scope: &Scope,
        topics: &[Topic],
        statements: Vec<Statement>,
    ) -> Result<Self, PolicyError> {
        let Some(policy) = policy else {
            let document = Some(PolicyDocument::new(statements.clone())?);
            return Ok(Self { document, gone: Vec::new(), come: statements, kept: 0 });
        };
        let ours =
            |statement: &Statement| statement.topic(scope).is_some_and(|topic| topics.contains(&topic));
        let (gone, mut all) = split(policy, ours);
        let first = policy.statements().iter().position(ours).unwrap_or(all.len());
        let kept = all.len();
        // Everything before the first of ours is somebody else's, so it has the same place among the others.
        all.splice(first..first, statements.iter().cloned());
        Ok(Self { document: Some(policy.with_statements(all)), gone, come: statements, kept }
            .without_repetition())
    }

    /// Takes everything out of `policy` that was ever put there for `scope`.
    pub fn withdraw(policy: &PolicyDocument, scope: &Scope) -> Self {
        let (gone, others) = split(policy, |statement| statement.topic(scope).is_some());
        let kept = others.len();
        let document = (kept > 0).then(|| policy.with_statements(others));
        Self { document, gone, come: Vec::new(), kept }
    }

    /// True when the bucket has it like that already.
    pub fn changes_nothing(&self) -> bool {
        self.gone.is_empty() && self.come.is_empty()
    }

    /// What goes and comes back as it was has not changed.
    fn without_repetition(mut self) -> Self {
        let repeated = |statement: &Statement, others: &[Statement]| {
            others.iter().any(|other| other.same_meaning(statement))
        };
        let come: Vec<Statement> =
            self.come.iter().filter(|statement| !repeated(statement, &self.gone)).cloned().collect();
        let before = self.gone.len();
        self.gone.retain(|statement| !repeated(statement, &self.come));
        self.kept += before - self.gone.len();
        self.come = come;
        self
    }
}

/// Those that `chosen` picks, and the rest, each in their order.
fn split(policy: &PolicyDocument, chosen: impl Fn(&Statement) -> bool) -> (Vec<Statement>, Vec<Statement>) {
    policy.statements().iter().cloned().partition(chosen)
}
