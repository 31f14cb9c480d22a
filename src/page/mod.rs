//! The page on which visitors read a site's charter and choose.
//!
//! It is rendered from the charter that is enforced and from the visitor's own answer, and knows
//! nothing of HTTP: what a request is, and where an answer is stored, is for the proxy to say. It
//! needs no script. Accessibility follows WCAG 2.2, level AA, and the RGAA.

mod accent;
mod choice;
mod cookies;
mod html;
mod language;
mod logo;
mod style;
mod texts;

pub use accent::{Accent, AccentError, LEAST_CONTRAST};
pub use choice::{Choice, Form, FormError, Offer, form_bytes, offers};
pub use cookies::set_cookies;
pub use html::{Outcome, Published, View, render};
pub use language::negotiated;
pub use logo::{Logo, LogoError, LogoKind, MAX_LOGO_BYTES};
pub use style::css;
