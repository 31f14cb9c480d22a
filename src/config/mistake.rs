//! Mistakes in configuration files: where, what, and what to write instead.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Whether a mistake keeps the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, and is probably not what was meant.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Whether it is fatal.
    pub severity: Severity,
    /// The file.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// The line, from 1; `None` where the mistake is the file itself.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// The key, with the tables it stands in: `cookie[2].max_age`.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Plain(&self.file.to_string_lossy()).fmt(f)?;
        for place in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{place}")?;
        }
        f.write_str(match self.severity {
            Severity::Error => ": error: ",
            Severity::Warning => ": warning: ",
        })?;
        if let Some(key) = &self.key {
            write!(f, "{}: ", Plain(key))?;
        }
        write!(f, "{}\n  remedy: {}", Plain(&self.message), Plain(&self.remedy))
    }
}

impl Mistake {
    /// A mistake that is the file itself.
    pub(super) fn of_file(file: &Path, message: String, remedy: &str) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: None,
            column: None,
            key: None,
            message,
            remedy: remedy.to_owned(),
        }
    }
}

/// A text without what ends a line or steers a terminal: keys and file names may hold anything.
struct Plain<'t>(&'t str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

/// A name of a file need not be text.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Every mistake found, in the order of files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// Whether one of them is fatal.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.0.iter().any(|mistake| mistake.severity == Severity::Error)
    }

    /// How many are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|mistake| mistake.severity == severity).count()
    }

    /// Whether one of them is fatal and about a key of the table `name`.
    pub(super) fn any_error_below(&self, name: &str) -> bool {
        let is_below = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        self.0.iter().any(|mistake| {
            mistake.severity == Severity::Error && mistake.key.as_deref().is_some_and(is_below)
        })
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
