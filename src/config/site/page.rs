//! The `[page]` table: the page's second address, and how it looks.

use crate::config::reader::{At, Document, Table};
use crate::config::{Page, contents};
use crate::page::{Accent, AccentError, Logo, LogoError, MAX_LOGO_BYTES};

/// Below it are the firewall's own addresses and those of certificate authorities (RFC 8615).
const WELL_KNOWN: &str = "/.well-known/";

pub(super) fn read(document: &Document<'_>, table: Option<&Table<'_, '_>>) -> Page {
    let Some(table) = table else { return Page::default() };
    let title = table.string("title");
    if let Some(at) = title.as_ref().filter(|at| at.value.trim().is_empty()) {
        document.error(at, "a page needs a title", "write one, or leave the key out");
    }
    Page {
        path: table.string("path").and_then(|at| path(document, &at)),
        title: title.map(|at| at.value.into()),
        accent: table.string("accent").and_then(|at| accent(document, &at)).unwrap_or_default(),
        logo: table.string("logo").and_then(|at| logo(document, &at)),
    }
}

fn path(document: &Document<'_>, at: &At<&str>) -> Option<Box<str>> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    let has_empty = || at.value.contains("//");
    let has_dots = || at.value.split('/').any(|segment| segment == "." || segment == "..");
    let remedy = if !at.value.starts_with('/') {
        "begin with a slash, as in \"/cookies/\""
    } else if at.value == "/" {
        "leave the portal's own first page where it is"
    } else if at.value.starts_with(WELL_KNOWN) {
        "write an address outside /.well-known/"
    } else if !at.value.bytes().all(is_plain) || has_empty() || has_dots() {
        "write letters, digits, '-', '.', '_' and '~' between single slashes"
    } else {
        return Some(at.value.into());
    };
    document.error(at, format!("the page cannot be at {:?}", at.value), remedy);
    None
}

fn accent(document: &Document<'_>, at: &At<&str>) -> Option<Accent> {
    match Accent::new(at.value) {
        Ok(accent) => return Some(accent),
        Err(AccentError::Form) => {
            let message = format!("{:?} is no colour", at.value);
            document.error(at, message, "write six hexadecimal digits, as in \"#1f4e8c\"");
        }
        Err(AccentError::Contrast(contrast)) => {
            // Cut, not rounded: 4.499 is not 4.50.
            let contrast = (contrast * 100.0).floor() / 100.0;
            let message = format!(
                "the contrast of {} with white is {contrast:.2}:1, below 4.5:1 (WCAG 2.2, 1.4.3)",
                at.value
            );
            document.error(at, message, "write a darker colour");
        }
    }
    None
}

fn logo(document: &Document<'_>, at: &At<&str>) -> Option<Logo> {
    let path = document.named(at);
    let is_larger = |metadata: std::fs::Metadata| metadata.len() > MAX_LOGO_BYTES as u64;
    let logo = if std::fs::metadata(&path).is_ok_and(is_larger) {
        Err(LogoError::TooLarge)
    } else {
        match contents(&path) {
            Ok(bytes) => Logo::new(at.value, bytes),
            Err(error) => {
                let remedy = "check the path, which is relative to this file, and its permissions";
                document.error(at, format!("cannot read the logo: {error}"), remedy);
                return None;
            }
        }
    };
    let (message, remedy) = match logo {
        Ok(logo) => return Some(logo),
        Err(LogoError::Kind) => {
            ("logos of this kind are not served", "name a file in .svg, .png, .jpg, .jpeg or .webp")
        }
        Err(LogoError::Contents) => {
            ("the file is not what its name says", "save it in the format of its name")
        }
        Err(LogoError::TooLarge) => ("the logo is larger than 256 KiB", "save a smaller one"),
    };
    document.error(at, message, remedy);
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::site_from_str;

    fn mistakes(page: &str) -> Vec<String> {
        let text =
            format!("domain = \"a.fr\"\nupstream = \"http://127.0.0.1:1\"\n[page]\n{page}\n");
        match site_from_str(Path::new("site.toml"), &text) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.0.into_iter().map(|mistake| mistake.message).collect(),
        }
    }

    #[test]
    fn what_a_page_may_be() {
        for page in ["", "path = \"/cookies/\"", "path = \"/a.b\"", "accent = \"#005A30\""] {
            assert!(mistakes(page).is_empty(), "{page}: {:?}", mistakes(page));
        }
        for (page, message) in [
            ("path = \"cookies\"", "the page cannot be at \"cookies\""),
            ("path = \"/\"", "the page cannot be at \"/\""),
            ("path = \"/a?b\"", "the page cannot be at \"/a?b\""),
            ("path = \"/a/../b\"", "the page cannot be at \"/a/../b\""),
            ("path = \"//a\"", "the page cannot be at \"//a\""),
            ("path = \"/.well-known/x\"", "the page cannot be at \"/.well-known/x\""),
            ("title = \" \"", "a page needs a title"),
            ("accent = \"blue\"", "\"blue\" is no colour"),
            (
                "accent = \"#777777\"",
                "the contrast of #777777 with white is 4.47:1, below 4.5:1 (WCAG 2.2, 1.4.3)",
            ),
            (
                "logo = \"none.html\"",
                "cannot read the logo: No such file or directory (os error 2)",
            ),
            ("logo = \".\"", "cannot read the logo: it is no regular file"),
        ] {
            assert_eq!(mistakes(page), [message], "{page}");
        }
    }
}
