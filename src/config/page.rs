//! How a site's page looks, and where else it is.

use crate::page::{Accent, Logo};

/// The page on which visitors read the charter and choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// A second address of the page.
    pub path: Option<Box<str>>,
    /// Its title, where it is not the usual one.
    pub title: Option<Box<str>>,
    /// The colour of buttons and links.
    pub accent: Accent,
    /// The site's logo.
    pub logo: Option<Logo>,
}
