//! Writes a site file of a published charter: what was found as declarations, and what could not be
//! placed as comments, in the order of the page.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::charter::import::{Found, Import, Unplaced};
use crate::charter::{Category, Language, LifetimeCap, duration};
use crate::consent::Tool;

/// A site file to be written.
#[derive(Clone, Copy, Debug)]
pub struct SiteFile<'i> {
    /// Where the page came from.
    pub source: &'i str,
    /// The portal's domain; `None` for a placeholder, where the page names none.
    pub domain: Option<&'i str>,
    /// Where the portal is; `None` for a placeholder.
    pub upstream: Option<&'i str>,
    /// What the page declares.
    pub import: &'i Import,
}

impl SiteFile<'_> {
    /// Stands for a domain that is not known; it can be nobody's (RFC 2606).
    pub const DOMAIN: &'static str = "portal.invalid";

    /// Stands for an upstream that is not known.
    pub const UPSTREAM: &'static str = "http://127.0.0.1:8000";
}

impl Display for SiteFile<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        write_consent(f, self.import)?;
        let mut unplaced = self.import.unplaced.iter().peekable();
        for found in &self.import.found {
            while let Some(earlier) = unplaced.next_if(|unplaced| unplaced.line < found.line) {
                write_unplaced(f, earlier)?;
            }
            write_found(f, found)?;
        }
        unplaced.try_for_each(|unplaced| write_unplaced(f, unplaced))
    }
}

impl SiteFile<'_> {
    fn write_head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let domain = self.domain.unwrap_or(Self::DOMAIN);
        let count = self.import.unplaced.len();
        writeln!(f, "# {}: the portal's published cookie charter.", one_line(domain))?;
        writeln!(f, "#\n# Imported from {}.", one_line(self.source))?;
        if count > 0 {
            let rows = if count == 1 { "row" } else { "rows" };
            writeln!(f, "# {count} {rows} could not be placed, and stand below as comments.")?;
        }
        writeln!(f)?;
        if self.domain.is_none() {
            writeln!(f, "# The page does not say which site it is about: write its domain here.")?;
        }
        writeln!(f, "domain   = {}", quoted(domain))?;
        if self.upstream.is_none() {
            writeln!(f, "# Where the portal itself is: a page does not say that.")?;
        }
        writeln!(f, "upstream = {}", quoted(self.upstream.unwrap_or(Self::UPSTREAM)))?;
        writeln!(f, "# \"report\" decides and counts, and changes nothing.")?;
        writeln!(f, "mode     = \"enforce\"")?;
        let language = self.import.language.unwrap_or_default();
        writeln!(f, "language = {}", quoted(language.tag()))
    }
}

/// The consent tool, where its cookie is among the declared ones.
fn write_consent(f: &mut Formatter<'_>, import: &Import) -> fmt::Result {
    let declares = |tool: &&Tool| {
        let name = tool.default_cookie().as_bytes();
        import.found.iter().any(|found| found.entry.name.exact().as_deref() == Some(name))
    };
    writeln!(f)?;
    match Tool::ALL.iter().find(declares) {
        Some(tool) => {
            writeln!(f, "[consent]\ntool    = {}", quoted(tool.as_str()))?;
            writeln!(f, "cookie  = {}\nmax_age = \"6 months\"", quoted(tool.default_cookie()))
        }
        None => {
            writeln!(f, "# The page declares no consent cookie that is known here. Name the tool")?;
            writeln!(f, "# that asks for consent under [consent], and declare its cookie.")
        }
    }
}

fn write_found(f: &mut Formatter<'_>, found: &Found) -> fmt::Result {
    let Found { line, entry, notes } = found;
    writeln!(f)?;
    for note in notes {
        writeln!(f, "# line {line}: {}", one_line(note))?;
    }
    if entry.is_unclassified() {
        writeln!(
            f,
            "# line {line}: the page puts it in no one category. Write the one it has and"
        )?;
        writeln!(f, "# remove \"consent\"; until then it is always blocked.")?;
    }
    writeln!(f, "[[cookie]]")?;
    let mut pair = |key: &str, value: &str| match value {
        "" => Ok(()),
        value => writeln!(f, "{key:8} = {}", quoted(value)),
    };
    pair("name", entry.name.as_str())?;
    pair("provider", &entry.provider)?;
    pair("service", &entry.service)?;
    pair("purpose", &entry.purpose)?;
    pair("category", entry.category.as_str())?;
    if matches!(entry.category, Category::Own(_)) {
        // A category of the site's own needs an id of the tool's; the page does not know them.
        pair("consent", entry.category.as_str())?;
    }
    if let Some(lifetime) = entry.lifetime {
        pair("max_age", &max_age(lifetime))?;
    }
    match entry.anonymous {
        true => writeln!(f, "anonymous = true"),
        false => Ok(()),
    }
}

fn max_age(lifetime: LifetimeCap) -> String {
    match lifetime {
        LifetimeCap::Session => "session".to_owned(),
        LifetimeCap::Seconds(seconds) => duration::spelt(seconds, Language::English),
    }
}

fn write_unplaced(f: &mut Formatter<'_>, unplaced: &Unplaced) -> fmt::Result {
    let Unplaced { line, text, reason } = unplaced;
    writeln!(f, "\n# line {line} could not be placed: {}\n#   {}", one_line(reason), one_line(text))
}

/// `text` without what would end a comment, or be forbidden in one.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A basic string (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charter::{CharterView, Entry, Pattern};
    use crate::config::site_from_str;

    fn entry(name: &str, category: Category) -> Entry {
        Entry {
            name: Pattern::new(name).expect("a valid pattern"),
            provider: "L'\"Éditeur\" \\ associés".to_owned(),
            service: String::new(),
            purpose: "Compter # les visites".to_owned(),
            category,
            anonymous: false,
            lifetime: None,
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let anonymous = Entry { anonymous: true, ..entry("_pk_id.*", Category::Statistics) };
        let brief =
            Entry { lifetime: Some(LifetimeCap::Session), ..entry("a\tb", Category::Necessary) };
        let long = Entry {
            lifetime: Some(LifetimeCap::Seconds(390 * 86_400)),
            ..entry("x\\*", Category::Marketing)
        };
        let own = entry("own", Category::named("réseaux"));
        let entries = [anonymous, brief, long, own, entry("_ga", Entry::unclassified())];
        let import = Import {
            domain: None,
            hosts: Vec::new(),
            language: Some(Language::English),
            found: (1..)
                .zip(&entries)
                .map(|(line, entry)| Found {
                    line: 2 * line,
                    entry: entry.clone(),
                    notes: vec!["Type: HTTP".to_owned()],
                })
                .collect(),
            unplaced: vec![Unplaced {
                line: 3,
                text: "[[cookie]] | \u{7f}x".to_owned(),
                reason: "it names no cookie".to_owned(),
            }],
        };
        let file = SiteFile { source: "a\npage", domain: None, upstream: None, import: &import };
        let text = file.to_string();
        let site = site_from_str("site.toml".as_ref(), &text)
            .unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
        assert_eq!(CharterView::of(&site.domain, &site.charter).entries, entries);
        assert_eq!((&*site.domain, site.language), (SiteFile::DOMAIN, Language::English));
        let comment = "# line 3 could not be placed: it names no cookie\n#   [[cookie]] |  x";
        let at = text.find(comment).unwrap_or_else(|| panic!("{text}"));
        assert!(text.find("_pk_id").is_some_and(|before| before < at), "{text}");
        assert!(text.find("a\\u0009b").is_some_and(|after| after > at), "{text}");
    }
}
