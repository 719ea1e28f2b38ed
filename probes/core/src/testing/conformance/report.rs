//! How did a plugin stand each check?

use std::fmt;

/// What the kit found, check by check, in the order in which they were made.
#[derive(Clone, Debug)]
pub struct Report {
    /// The plugin's name.
    pub plugin: &'static str,
    /// All checks that were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// What has to hold.
    pub name: &'static str,
    /// Where it does not, in words; empty if it holds everywhere.
    pub mistakes: Vec<String>,
}

impl Report {
    /// The checks that found a mistake.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed())
    }

    pub(super) fn add(&mut self, name: &'static str, mistakes: Vec<String>) {
        self.checks.push(Check { name, mistakes });
    }
}

impl Check {
    /// Whether what has to hold does.
    pub fn passed(&self) -> bool {
        self.mistakes.is_empty()
    }
}

impl fmt::Display for Report {
    /// Writes a line for each check, and under a failed one a line for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, all) = (self.failed().count(), self.checks.len());
        writeln!(f, "{}: {failed} of {all} checks failed", self.plugin)?;
        for check in &self.checks {
            let verdict = if check.passed() { "passed" } else { "FAILED" };
            writeln!(f, "  {verdict}  {}", check.name)?;
            for mistake in &check.mistakes {
                writeln!(f, "          {mistake}")?;
            }
        }
        Ok(())
    }
}
