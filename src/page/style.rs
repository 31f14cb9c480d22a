//! How the page looks.

use super::Accent;

/// Light and dark, from 320 CSS pixels on. Accepting and refusing look alike to the pixel; nothing
/// is told by colour alone, and targets are larger than WCAG 2.2 asks for (2.5.8).
const STYLE: &str = "\
:root { color-scheme: light dark; --text: #1a1a1a; --back: #fff; --soft: #f0f0f0; --line: #767676; --link: var(--accent) }
@media (prefers-color-scheme: dark) { :root { --text: #f2f2f2; --back: #161616; --soft: #2a2a2a; --line: #949494; --link: #a8c8ff } }
* { box-sizing: border-box }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem; color: var(--text); background: var(--back); overflow-wrap: break-word }
a { color: var(--link) }
:focus-visible { outline: 3px solid var(--text); outline-offset: 3px }
.skip { position: absolute; left: -999rem }
.skip:focus { position: static; display: inline-block; padding: .5rem }
header, footer, .languages { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center }
header { justify-content: space-between; border-bottom: 1px solid var(--line); padding-bottom: .5rem }
header a, footer a { display: inline-block; min-height: 2rem; padding: .25rem 0 }
.languages { list-style: none; margin: 0; padding: 0 }
.logo { max-width: 100%; height: 3rem; object-fit: contain; vertical-align: middle; background: #fff }
h1 { font-size: 1.75rem; line-height: 1.25 }
h2 { font-size: 1.35rem; margin-top: 2rem }
.note { border: 2px solid var(--line); border-left-width: .75rem; padding: .75rem 1rem; background: var(--soft) }
.both { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; max-width: 34rem; margin: 1rem 0 }
button { font: inherit; font-weight: 600; min-height: 3rem; padding: .5rem 1rem; border: 2px solid var(--text); border-radius: .25rem; color: #fff; background: var(--accent); cursor: pointer }
fieldset { border: 1px solid var(--line); margin: 1rem 0; padding: 1rem }
legend { font-weight: 600; padding: 0 .5rem }
.option { display: grid; grid-template-columns: 2.25rem 1fr; align-items: start; margin: .75rem 0 }
.option input { width: 1.5rem; height: 1.5rem; margin: 0; accent-color: var(--accent) }
.option label { font-weight: 600; min-height: 1.5rem }
.option p, .always p { margin: 0; grid-column: 2 }
.always { padding-left: 2.25rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; min-width: 40rem }
caption { text-align: left; padding-bottom: .5rem }
th, td { border: 1px solid var(--line); padding: .5rem .75rem; text-align: left; vertical-align: top }
th { background: var(--soft) }
";

/// The style sheet in the site's colour.
#[must_use]
pub fn css(accent: Accent) -> String {
    format!(":root {{ --accent: {accent} }}\n{STYLE}")
}
