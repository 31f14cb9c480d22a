//! The `[[cookie]]` entries: declarations, checked one by one and together.

use super::consent::{Consent, warn_of_unstorable};
use super::{cnil, covers, is_host_name};
use crate::charter::{
    Category, Charter, Declaration, DomainRule, Entry, Forced, LifetimeCap, Need, Pattern, Scopes,
};
use crate::config::key_path::KeyPath;
use crate::config::reader::{At, Document, Table};
use crate::consent::{Ids, MAX_IDS, Tool};
use crate::cookie::{SameSite, name};

/// The remedy where a category cannot be called so.
pub(super) const CATEGORY_NAMES: &str = "write letters, digits, '-' and '_'";

/// Compiles the charter and completes `consent` with the ids that its cookies name. `None` where
/// mistakes keep it from being compiled; `hosts` are the site's domain and aliases.
pub(super) fn read(
    document: &Document<'_>,
    site: &Table<'_, '_>,
    consent: &mut Consent<'_>,
    hosts: &[&str],
) -> Option<Charter> {
    let scopes = scopes(document, site, hosts);
    let tables = site.tables("cookie");
    let mut declarations = Vec::with_capacity(tables.len());
    let mut names = Vec::with_capacity(tables.len());
    for table in &tables {
        if let Some((at, declaration)) = declaration(document, table, consent, hosts) {
            names.push(at);
            declarations.push(declaration);
        }
    }
    if consent.ids.len() > MAX_IDS {
        document.error(
            &At { key: KeyPath::of_root("consent"), ..consent.place.clone() },
            format!(
                "{} consent ids are more than the {MAX_IDS} a site may tell apart",
                consent.ids.len()
            ),
            "list only the ids that the charter's cookies depend on",
        );
        return None;
    }
    consent.complete(document, &declarations);
    let charter = match Charter::new(declarations, scopes) {
        Ok(charter) => charter,
        Err(clashes) => {
            for clash in clashes {
                let (first, second) = (&names[clash.first as usize], &names[clash.second as usize]);
                let line = document.line(&first.span);
                let (message, remedy) = if clash.identical {
                    (
                        format!("line {line} declares {:?} already", first.value),
                        "keep one of the two",
                    )
                } else {
                    (
                        format!("some names match {:?} of line {line} just as well", first.value),
                        "make one of the two more specific, or declare the shared names on their own",
                    )
                };
                document.error(second, message, remedy);
            }
            return None;
        }
    };
    // A declaration that could not be read may be the one that is looked for.
    if charter.declarations().len() == tables.len() {
        consent.warn_of_unused(document, charter.declarations());
        let rules = &consent.rules;
        let unseen = "is not declared: the portal does not see the visitor's choice";
        warn_of_consent_cookie(document, consent, &charter, rules.cookie(), unseen);
        if !rules.tool.can_write() && !rules.needed.is_empty() {
            let own = Tool::EuConsent.default_cookie();
            let untold = "is not declared: choices on the firewall's page are kept in it";
            warn_of_consent_cookie(document, consent, &charter, own, untold);
        }
    }
    Some(charter)
}

fn warn_of_consent_cookie(
    document: &Document<'_>,
    consent: &Consent<'_>,
    charter: &Charter,
    name: &str,
    undeclared: &str,
) {
    let need = charter.find(name.as_bytes()).map(|id| charter.declaration(id).need);
    let problem = match need {
        _ if name.is_empty() => return,
        Some(Need::Exempt) => return,
        Some(Need::Consent(_)) => "needs consent itself, so that no choice can be stored",
        None if charter.declarations().is_empty() => return,
        None => undeclared,
    };
    document.warning(
        &consent.place,
        format!(
            "the consent cookie {name:?} {problem} (it is exempt: CNIL deliberation 2020-091, guidelines, article 5)"
        ),
        "declare it as necessary",
    );
}

fn declaration<'d>(
    document: &Document<'_>,
    table: &Table<'d, '_>,
    consent: &mut Consent<'_>,
    hosts: &[&str],
) -> Option<(At<&'d str>, Declaration)> {
    let text = |name| table.string(name).map_or("", |at| at.value).into();
    let (provider, service, purpose) = (text("provider"), text("service"), text("purpose"));
    let max_age = lifetime_cap(document, table);
    let forced = forced(document, table, hosts);
    let category = table.string("category").and_then(|at| category(document, &at, table, consent));
    let need = category.as_ref().map(|category| need(document, table, category, consent));
    let at = table.string("name")?;
    let name = match Pattern::new(at.value) {
        Ok(name) => name,
        Err(error) => {
            document.error(&at, error.to_string(), error.remedy());
            return None;
        }
    };
    check_prefix(document, table, &name);
    let declaration = Declaration {
        name,
        provider,
        service,
        purpose,
        category: category?,
        need: need?,
        max_age,
        forced,
    };
    cnil::declaration(document, table, &declaration, hosts);
    cnil::consent_cookie(document, table, &declaration, consent);
    Some((at, declaration))
}

/// A category is one of the built-in ones, or the site's own; an own one exists where ids or a
/// consent id of the cookie's give it a meaning, so that a typing error is not a category.
fn category(
    document: &Document<'_>,
    at: &At<&str>,
    table: &Table<'_, '_>,
    consent: &Consent<'_>,
) -> Option<Category> {
    let category = Category::named(at.value);
    let is_own = matches!(category, Category::Own(_));
    if !is_category_name(at.value) {
        document.error(at, format!("{:?} cannot be a category", at.value), CATEGORY_NAMES);
        return None;
    }
    if is_own && consent.of_category(&category).is_empty() && table.string("consent").is_none() {
        document.error(
            at,
            format!("{:?} is no built-in category, and no consent id stands for it", at.value),
            "write necessary, statistics, preferences, marketing or third-party; or give a category of your own its ids under [consent.categories]",
        );
        return None;
    }
    Some(category)
}

pub(super) fn is_category_name(name: &str) -> bool {
    let valid = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.chars().all(valid)
}

fn need(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    category: &Category,
    consent: &mut Consent<'_>,
) -> Need {
    let anonymous = table.bool("anonymous");
    let id = table.string("consent");
    if let Some(at) = anonymous.as_ref().filter(|at| at.value && *category != Category::Statistics)
    {
        document.error(
            at,
            "only statistics can be exempt for being anonymous",
            "remove the key, or write category = \"statistics\"",
        );
    }
    let anonymous = anonymous.is_some_and(|at| at.value) && *category == Category::Statistics;
    if anonymous || *category == Category::Necessary {
        if let Some(at) = id {
            document.error(
                &at,
                "an exempt cookie needs no consent",
                "remove the key, or write another category",
            );
        }
        return Need::Exempt;
    }
    match id {
        Some(at) => {
            check_id(document, &at, category, consent);
            if *category == Entry::unclassified() {
                // An id would have the visitor asked for what nobody can say.
                return Need::Consent(Ids::NONE);
            }
            // Beyond the limit the whole charter is refused.
            consent.id(at.value).map_or(Need::Consent(Ids::NONE), Need::Consent)
        }
        None => {
            warn_of_missing_ids(document, table, category, consent);
            Need::Consent(consent.of_category(category))
        }
    }
}

/// Whether `id` can be what a cookie of `category` needs.
fn check_id(document: &Document<'_>, id: &At<&str>, category: &Category, consent: &Consent<'_>) {
    if id.value.is_empty() {
        document.error(
            id,
            "an id is missing",
            "write one of the tool's ids, or leave the key out for all of the category",
        );
        return;
    }
    match consent.category_of(id.value) {
        Some(other) if other == category => {}
        Some(other) => document.warning(
            id,
            format!("{:?} stands for the category {:?}", id.value, other.as_str()),
            "check the cookie's category, or the id",
        ),
        None if !consent.rules.tool.can_store(id.value) => {
            warn_of_unstorable(document, consent.rules.tool, id);
        }
        None => document.warning(
            id,
            format!(
                "{:?} is no id that {} is known to write, nor listed for a category",
                id.value,
                consent.rules.tool.as_str()
            ),
            "check its spelling, or list it under [consent.categories]",
        ),
    }
}

fn warn_of_missing_ids(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    category: &Category,
    consent: &Consent<'_>,
) {
    let at = At { value: (), ..table.at() };
    if consent.of_category(category).is_empty() {
        document.warning(
            &at,
            format!(
                "no consent id stands for {:?}, so this cookie is always blocked",
                category.as_str()
            ),
            "list the tool's ids under [consent.categories], or add consent = \"...\"",
        );
    } else if !consent.is_mapped && consent.has_several(category) {
        document.warning(
            &at,
            format!("this cookie passes only with the consent of every {:?} id that the tool is known to write", category.as_str()),
            "list the ids that this portal's banner offers under [consent.categories], or add consent = \"...\"",
        );
    }
}

fn lifetime_cap(document: &Document<'_>, table: &Table<'_, '_>) -> Option<LifetimeCap> {
    if table.peek_string("max_age") == Some("session") {
        return Some(LifetimeCap::Session);
    }
    let at = table.duration("max_age")?;
    if at.value == 0 {
        document.error(
            &at,
            "a cookie with no lifetime is deleted at once",
            "write \"session\" for one that ends with the browser's session, or remove the declaration",
        );
    }
    Some(LifetimeCap::Seconds(at.value))
}

fn forced(document: &Document<'_>, table: &Table<'_, '_>, hosts: &[&str]) -> Forced {
    let flag = |name| table.bool(name).map(|at| at.value);
    let same_site = table.word("same_site");
    let forced = Forced {
        secure: flag("secure"),
        http_only: flag("http_only"),
        partitioned: flag("partitioned"),
        same_site: same_site.as_ref().map(|at| SameSite::of(at.value.as_bytes())),
        domain: table.string("domain").and_then(|at| domain_rule(document, &at, hosts)),
        path: table.string("path").and_then(|at| path(document, &at)).map(Into::into),
    };
    let cross_site = forced.same_site == Some(SameSite::None) || forced.partitioned == Some(true);
    if cross_site && forced.secure == Some(false) {
        document.error(
            &table.at(),
            "user agents refuse SameSite=None and Partitioned without Secure",
            "write secure = true",
        );
    } else if cross_site && forced.secure.is_none() {
        document.warning(
            &table.at(),
            "user agents refuse SameSite=None and Partitioned without Secure",
            "add secure = true, unless the portal always sets it",
        );
    }
    forced
}

fn domain_rule(document: &Document<'_>, at: &At<&str>, hosts: &[&str]) -> Option<DomainRule> {
    if at.value == "host-only" {
        return Some(DomainRule::HostOnly);
    }
    let domain = dotless(at.value);
    let none = "\"host-only\" for no Domain at all";
    check_covers(document, at, &domain, hosts, none);
    Some(DomainRule::Domain(domain.into()))
}

/// A domain as it is compared: without a leading dot, in lower case.
fn dotless(domain: &str) -> String {
    domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase()
}

/// `none` is how the key at hand is told to leave Domain out.
fn check_covers(document: &Document<'_>, at: &At<&str>, domain: &str, hosts: &[&str], none: &str) {
    let clean = !domain.is_empty() && domain.bytes().all(|b| b.is_ascii_graphic() && b != b';');
    let remedy =
        format!("write the site's domain, a parent of it that is no public suffix, or {none}");
    for host in hosts.iter().filter(|host| !clean || !covers(host, domain)) {
        let message =
            format!("{domain:?} does not cover {host:?}: user agents would refuse the cookie");
        document.error(at, message, &remedy);
    }
}

fn path<'d>(document: &Document<'_>, at: &At<&'d str>) -> Option<&'d str> {
    let valid =
        at.value.starts_with('/') && at.value.bytes().all(|b| b.is_ascii_graphic() && b != b';');
    if !valid {
        document.error(
            at,
            format!("{:?} is not a cookie path", at.value),
            "write a path that begins with '/' and holds no ';', white space or accent",
        );
    }
    valid.then_some(at.value)
}

/// A rule that breaks the promise of the name's prefix would make user agents refuse every cookie.
fn check_prefix(document: &Document<'_>, table: &Table<'_, '_>, pattern: &Pattern) {
    let demands = name::demands(&pattern.literal_prefix());
    let broken = |at: &At<()>, what: &str| {
        document.error(
            at,
            format!("user agents refuse {:?} {what}", pattern.as_str()),
            "remove the key, or declare the cookie under another name",
        );
    };
    let flag = |name| table.bool(name).filter(|at| !at.value).map(At::place);
    if demands.secure
        && let Some(at) = flag("secure")
    {
        broken(&at, "without Secure");
    }
    if demands.http_only
        && let Some(at) = flag("http_only")
    {
        broken(&at, "without HttpOnly");
    }
    if demands.host
        && let Some(at) = table.string("domain").filter(|at| at.value != "host-only")
    {
        broken(&at.place(), "with a Domain");
    }
    if demands.host
        && let Some(at) = table.string("path").filter(|at| at.value != "/")
    {
        broken(&at.place(), "with a Path other than \"/\"");
    }
}

fn scopes(document: &Document<'_>, site: &Table<'_, '_>, hosts: &[&str]) -> Scopes {
    let domains = site.map("cookie_domain");
    for (index, (from, to)) in domains.iter().enumerate() {
        let same = |(other, _): &(At<&str>, At<&str>)| dotless(other.value) == dotless(from.value);
        if !is_host_name(&dotless(from.value)) || domains[..index].iter().any(same) {
            document.error(
                from,
                format!("{:?} is no domain of a cookie, or is mapped already", from.value),
                "write the Domain as the upstream sets it, without scheme and port, and each once",
            );
        }
        if !to.value.is_empty() {
            check_covers(document, to, &dotless(to.value), hosts, "\"\" for no Domain at all");
        }
        let chained =
            |(other, _): &&(At<&str>, At<&str>)| dotless(other.value) == dotless(to.value);
        if domains.iter().find(chained).is_some_and(|(other, _)| other.value != from.value) {
            document.error(
                to,
                format!("{:?} is mapped to another domain in turn", to.value),
                "write the final domain",
            );
        }
    }
    let mut paths: Vec<(Box<str>, Box<str>)> = site
        .map("cookie_path")
        .iter()
        .filter_map(|(from, to)| Some((path(document, from)?.into(), path(document, to)?.into())))
        .collect();
    paths.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    let domains =
        domains.iter().map(|(from, to)| (dotless(from.value).into(), dotless(to.value).into()));
    Scopes { domains: domains.collect(), paths: paths.into() }
}
