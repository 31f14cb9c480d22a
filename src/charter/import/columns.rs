//! What the headings of a table say of its columns.

use super::page::{MAX_COLUMNS, Row};
use super::words::fold;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Name,
    Provider,
    Service,
    Purpose,
    Category,
    /// A kind of cookie that may be a category, or `HTTP`, or `persistent`.
    Type,
    Lifetime,
    Domain,
    /// Anything else; its cells are kept as notes.
    Other,
}

/// Words of headings. The first line of which a word stands in a heading decides: in `durée de vie
/// du cookie` the duration, in `nom du prestataire` the provider.
const WORDS: &[(Column, &str)] = &[
    (
        Column::Lifetime,
        "duree|durees|duration|expiration|expire|expires|expiry|lifetime|lifespan|conservation|\
        retention|validite|validity|persistence|ttl|echeance|max age|maxage|storage period",
    ),
    (Column::Category, "categorie|categories|category"),
    (Column::Domain, "domaine|domaines|domain|domains"),
    (
        Column::Provider,
        "prestataire|prestataires|fournisseur|fournisseurs|provider|providers|editeur|editeurs|\
        emetteur|emetteurs|vendor|vendors|host|hote|societe|company|owner|partenaire|\
        partenaires|partner|responsable|proprietaire|publisher|set by|depose par|source|\
        origine|origin|issuer|subgroup|sous groupe",
    ),
    (Column::Type, "type|types|nature|kind"),
    (
        Column::Purpose,
        "finalite|finalites|purpose|purposes|description|descriptions|objectif|objectifs|but|\
        usage|utilisation|utilite|role|fonction|explication|function|sert|use",
    ),
    (
        Column::Service,
        "service|services|emplacement|outil|outils|tool|application|solution|module|product|\
        produit|location",
    ),
    (
        Column::Name,
        "cookie|cookies|nom|noms|name|names|traceur|traceurs|tracker|trackers|identifiant|\
        identifiants|key|cle",
    ),
];

/// The longest heading, in words.
const MAX_HEADING_WORDS: usize = 8;

/// The columns that `row` announces; `None` where it is no row of headings: those name a column of
/// cookies, know most of the others, are short, and are more than a line across the table.
pub(super) fn announced(row: &Row) -> Option<Vec<Column>> {
    if row.cells.len() > MAX_COLUMNS || row.spans_all() {
        return None;
    }
    let mut columns: Vec<Column> = Vec::with_capacity(row.cells.len());
    let headings: Vec<String> = row.cells.iter().map(|cell| fold(&cell.text)).collect();
    for heading in &headings {
        let column = column(heading)?;
        // The first column of a kind is the one; a second description is a note.
        let again = column != Column::Name && columns.contains(&column);
        columns.push(if again { Column::Other } else { column });
    }
    keep_one_name(&mut columns, &headings);
    let filled = headings.iter().filter(|heading| !heading.is_empty()).count();
    let known = columns.iter().filter(|column| **column != Column::Other).count();
    let marked = row.cells.iter().all(|cell| cell.is_heading);
    let enough = if marked { known >= 1 } else { known >= 2 && 2 * known >= filled };
    (columns.contains(&Column::Name) && enough).then_some(columns)
}

/// What the column under `heading`, which is folded, holds; `None` where it is too long for one.
pub(super) fn column(heading: &str) -> Option<Column> {
    if heading.split(' ').count() > MAX_HEADING_WORDS {
        return None;
    }
    let padded = format!(" {heading} ");
    let says = |words: &str| words.split('|').any(|word| padded.contains(&format!(" {word} ")));
    let found = WORDS.iter().find(|(_, words)| says(words));
    Some(found.map_or(Column::Other, |(column, _)| *column))
}

/// Of several columns that could be the names, the one that speaks of cookies is, and of little else;
/// another is the service, as `Nom | Cookies` is meant, or else a note.
fn keep_one_name(columns: &mut [Column], headings: &[String]) {
    let rank = |heading: &str| {
        let has = |stems: &[&str]| heading.split(' ').any(|word| stems.contains(&word));
        let (cookie, name) = (
            has(&["cookie", "cookies", "traceur", "traceurs", "tracker", "trackers"]),
            has(&["nom", "noms", "name", "names", "identifiant", "identifiants", "key", "cle"]),
        );
        let words = heading.split(' ').count();
        (u8::from(cookie) * 2 + u8::from(name), std::cmp::Reverse(words))
    };
    let names = || (0..columns.len()).filter(|at| columns[*at] == Column::Name);
    let best = names().rev().max_by_key(|at| rank(&headings[*at]));
    let others: Vec<usize> = names().filter(|at| Some(*at) != best).collect();
    for at in others {
        let is_free = !columns.contains(&Column::Service);
        columns[at] = if is_free { Column::Service } else { Column::Other };
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::Cell;
    use super::Column::*;
    use super::*;

    fn row(headings: &[&str]) -> Row {
        Row { line: 1, cells: headings.iter().map(|text| Cell::new(text)).collect() }
    }

    #[test]
    fn headings() {
        let cases: &[(&[&str], Option<&[Column]>)] = &[
            (
                &["Nom du prestataire", "Service et emplacement", "Nom du cookies", "Finalités"],
                Some(&[Provider, Service, Name, Purpose]),
            ),
            (
                &["Cookie", "Durée de vie du cookie", "Description du cookie", "Type de cookie"],
                Some(&[Name, Lifetime, Purpose, Type]),
            ),
            (&["Name", "Host", "Expiry", "Category"], Some(&[Name, Provider, Lifetime, Category])),
            (&["Nom", "Cookies", "Finalité"], Some(&[Service, Name, Purpose])),
            (&["Cookie", "Name", "Purpose"], Some(&[Name, Service, Purpose])),
            (
                &["Cookie name", "Provider", "Purpose", "Description"],
                Some(&[Name, Provider, Purpose, Other]),
            ),
            (&["Nom de domaine", "Nom", "Finalité"], Some(&[Domain, Name, Purpose])),
            (&["Opendatasoft", "API (CSRF)", "csrftoken", "Récupérer des données"], None),
            (&["Nom", "Prénom", "Téléphone"], None),
            (&["Finalité", "Durée"], None),
            (&["Cookie"], None),
        ];
        for (headings, expected) in cases {
            assert_eq!(announced(&row(headings)).as_deref(), *expected, "{headings:?}");
        }
    }
}
