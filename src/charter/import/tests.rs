//! Pages of many layouts, and what they declare.

use super::*;

/// What a page declares, one line each: name, provider, service, purpose, category, lifetime; then
/// what could not be placed, after an exclamation mark.
#[track_caller]
fn shown(text: &str) -> Vec<String> {
    let import = read(text, format_of(text)).unwrap_or_else(|error| panic!("{error}: {text}"));
    let found = import.found.iter().map(|Found { line, entry, notes }| {
        let lifetime = entry.lifetime.map_or_else(String::new, |lifetime| match lifetime {
            crate::charter::LifetimeCap::Session => "session".to_owned(),
            crate::charter::LifetimeCap::Seconds(seconds) => {
                crate::charter::duration::spelt(seconds, Language::English)
            }
        });
        let category = match entry.anonymous {
            true => "anonymous",
            false => entry.category.as_str(),
        };
        let parts = [
            entry.name.as_str(),
            &entry.provider,
            &entry.service,
            &entry.purpose,
            category,
            &lifetime,
            &notes.join("; "),
        ];
        format!("{line}: {}", parts.join("|"))
    });
    let unplaced = import
        .unplaced
        .iter()
        .map(|unplaced| format!("{}! {} ({})", unplaced.line, unplaced.text, unplaced.reason));
    found.chain(unplaced).collect()
}

#[track_caller]
fn reads(text: &str, expected: &[&str]) {
    assert_eq!(shown(text), expected, "{text}");
}

#[test]
fn columns_by_tabs_as_the_portals_publish_them() {
    let page = "\u{feff}Charte cookies\n\n\
        Les cookies « statistiques » permettent de suivre des actions, avec consentement.\n\n\
        A quoi servent les cookies sur la plateforme\n\n<https://data.example.fr>\n\n\
        Cookies nécessaires au bon fonctionnement de la plateforme / cookies fonctionnels\n\n\
        Nom du prestataire\tService et emplacement\tNom du cookies\tFinalités\n\
        ------------\t-----------\t-----\t---------\n\n\
        Opendatasoft\tAuthentification (front)\tsessionid\tSe souvenir d'une page à une autre.\n\n\
        Opendatasoft\tLangue\tdjango_language\tSe souvenir de la langue";
    reads(
        page,
        &[
            "14: sessionid|Opendatasoft|Authentification (front)|Se souvenir d'une page à une autre.|necessary||",
            "16: django_language|Opendatasoft|Langue|Se souvenir de la langue|necessary||",
        ],
    );
    let import = read(page, Format::Text).unwrap();
    assert_eq!(import.hosts, ["data.example.fr"]);
    assert_eq!(import.language, Some(Language::French));
}

#[test]
fn columns_that_are_aligned() {
    reads(
        "Strictly necessary cookies\n\n\
         Cookie        Provider       Purpose                  Expiry\n\
         ------------  -------------  -----------------------  -----------------\n\
         sessionid     Opendatasoft   Remembers who you are    2 weeks by default\n\
         \x20                            on each page\n\
         csrftoken                    Protects forms           up to 12 months\n\
         a_name_wider_than_its_column  Opendatasoft   Nothing   session\n\
         too           many           cells          are       here\n\
         \x20   askew     Google\n\n\
         Analytics\n\n\
         _ga           Google         Counts visits            13 months\n",
        &[
            "5: sessionid|Opendatasoft||Remembers who you are on each page|necessary|2 weeks|",
            "7: csrftoken|||Protects forms|necessary|12 months|",
            "8: a_name_wider_than_its_column|Opendatasoft||Nothing|necessary|session|",
            "14: _ga|Google||Counts visits|statistics|13 months|",
            "9! too | many | cells | are | here (its cells do not stand below the headings)",
            "10! askew | Google (its cells do not stand below the headings)",
        ],
    );
}

#[test]
fn tables_in_markdown() {
    reads(
        "# Cookies\n\n## Statistiques\n\n\
         | Finalité | Durée | Cookie | Fournisseur | Type |\n|:--|--:|---|---|---|\n\
         | Mesurer | 13 mois | `_pk_id.*`, `_pk_ses.#` | [Matomo](https://matomo.org) | HTTP |\n\
         | Mesurer \\| compter | 1 an, 1 mois et 4 jours | _ga_<id> | **Google** | tiers |\n\n\
         ## Autres\n\nCookie | Purpose\n---|---\n_fbp | Ads\n",
        &[
            "7: _pk_id.*|Matomo||Mesurer|statistics|13 months|Type: HTTP",
            "7: _pk_ses.*|Matomo||Mesurer|statistics|13 months|Type: HTTP",
            "8: _ga_*|Google||Mesurer | compter|third-party|399 days|",
            "14: _fbp|||Ads|unclassified||",
        ],
    );
}

#[test]
fn tables_in_html() {
    reads(
        "<!DOCTYPE html><html lang=en><head><title>Cookie</title>\n\
         <link rel=canonical href='https://data.example.fr/cookies'></head><body>\n\
         <h2>Necessary cookies</h2>\n<table><thead><tr><th>Name<th>Host<th>Description<th>Expires\n\
         <tbody><tr><td>sid<td rowspan=2>Example&nbsp;SA<td>Session &amp; <b>login</b><td>Session\n\
         <tr><td>csrf<br>xsrf<td>Forms<td>1 year</table>\n\
         <h2>Third-party cookies</h2><h3>YouTube</h3>\n\
         <table><tr><th>Cookie</th><th>Purpose</th></tr><tr><td>VISITOR_INFO1_LIVE</td><td>Video</td></tr>\n\
         <tr><td colspan=2>Advertising</td></tr><tr><td>IDE</td><td>Ads</td></tr>\n\
         <tr><td colspan=2>Any other</td></tr><tr><td>NID</td><td>?</td></tr></table>",
        &[
            "5: sid|Example\u{a0}SA||Session & login|necessary|session|",
            "6: csrf|Example\u{a0}SA||Forms|necessary|1 year|",
            "6: xsrf|Example\u{a0}SA||Forms|necessary|1 year|",
            "8: VISITOR_INFO1_LIVE|||Video|third-party||",
            "9: IDE|||Ads|marketing||",
            "10: NID|||?|third-party||",
            "9! Advertising (it is taken for the category \"marketing\" of the next rows)",
            "10! Any other (it stands alone)",
        ],
    );
}

#[test]
fn records_with_a_heading_on_each_line() {
    reads(
        "<h2>Marketing</h2><dl><dt>Nom<dd>_fbp<dt>Fournisseur<dd>Facebook<dt>Finalité<dd>Publicité\n\
         <dt>Nom<dd>fr<dt>Finalité<dd>Autre</dl>",
        &["1: _fbp|Facebook||Publicité|marketing||", "2: fr|||Autre|marketing||"],
    );
    reads(
        "<table><tr><th>Cookie name</th><td>_ga</td></tr><tr><th>Category</th><td>Analytics</td></tr></table>",
        &["1: _ga||||statistics||"],
    );
}

#[test]
fn properties_line_by_line() {
    reads(
        "Cookies statistiques\n\nNom : _ga\nFournisseur : Google\nDurée de vie : 13 mois\n\n\
         Nom : _gid\nFinalité : Mesure\n\nDescription : rien de plus.\n",
        &[
            "3: _ga|Google|||statistics|13 months|",
            "7: _gid|||Mesure|statistics||",
            "10! Description | rien de plus. (it is no property that is known, or not told of which cookie)",
        ],
    );
    let error = read("Description : un site.\n\nUsage : simple\n", Format::Text);
    assert_eq!(error, Err(ImportError::NoTable));
}

#[test]
fn lists() {
    reads(
        "# Nécessaires\n\n- `sessionid` : la session\n* _csrf, _xsrf – formulaires\n- Chrome : réglages\n\
         - rien de tel\n\n# Réglages\n\n- Firefox : réglages\n",
        &[
            "3: sessionid|||la session|necessary||",
            "4: _csrf|||formulaires|necessary||",
            "4: _xsrf|||formulaires|necessary||",
            "5! Chrome | réglages (it stands in a list, and does not look like a cookie)",
        ],
    );
    reads(
        "<h2>Marketing</h2><ul><li><code>fr</code> : Facebook<li><b>_fbp</b>: Facebook</ul>",
        &["1: fr|||Facebook|marketing||", "1: _fbp|||Facebook|marketing||"],
    );
}

#[test]
fn a_list_within_a_cell_is_none_of_the_page() {
    reads(
        "<button>Cookies nécessaires</button><table><tr><th>Nom<th>Finalité<tr><td>sid<td>\
         <ul><li>a</ul></table><button>Mesure d'audience</button>\
         <table><tr><th rowspan=2>Outil<th colspan=2>Cookies<tr><th>Nom<th>Durée\
         <tr><td>Matomo<td>_pk_id<td>13 mois</table>",
        &["1: sid|||a|necessary||", "1: _pk_id||Matomo||statistics|13 months|"],
    );
}

#[test]
fn what_is_no_cookie() {
    reads(
        "Nom | Type | Finalité\n_ga | HTTP | Mesure\nstore | Stockage local HTML | Panier\n",
        &[
            "2: _ga|||Mesure|unclassified||Type: HTTP",
            "3! store | Stockage local HTML | Panier (it is kept elsewhere than in a cookie)",
        ],
    );
}

#[test]
fn objects_in_json() {
    reads(
        "[\n{\"name\": \"_ga\", \"provider\": \"Google\", \"category\": \"Analytics\", \"duration\": null},\n\
         {\"name\": [\"a\", \"b\"], \"description\": \"Both\", \"httpOnly\": true},\n 7]",
        &[
            "2: _ga|Google|||statistics||",
            "3: a|||Both|unclassified||httpOnly: true",
            "3: b|||Both|unclassified||httpOnly: true",
            "4! 7 (it is no object with the keys of a cookie)",
        ],
    );
    assert_eq!(read("{\"a\": 1}", Format::Json), Err(ImportError::NoTable));
    assert!(matches!(read("[", Format::Json), Err(ImportError::Json { line: 1, .. })));
}

#[test]
fn categories() {
    let table = "Cookie\tCategory\tPurpose\n";
    let cases = [
        ("x\tStrictement nécessaire\tp", "necessary"),
        ("x\tStatistics\tp", "statistics"),
        ("x\tAnonymous statistics, exempt from consent\tp", "anonymous"),
        ("x\tÀ-part\tp", "À-part"),
        ("x\tPublicité\tp", "marketing"),
        ("x\tNon nécessaire\tp", "unclassified"),
        ("x\tnécessaire et marketing\tp", "unclassified"),
        ("x\t\tp", "unclassified"),
    ];
    for (row, category) in cases {
        let shown = shown(&format!("{table}{row}"));
        assert!(shown[0].contains(&format!("|p|{category}|")), "{row}: {shown:?}");
    }
}

#[test]
fn sections_end_where_the_page_goes_on() {
    let table = "Cookie\tPurpose\n";
    let cases = [
        (format!("Necessary cookies\n\n{table}x\tp"), "necessary"),
        (format!("Necessary cookies\n\nThe list\n\n{table}x\tp"), "necessary"),
        (
            format!("Necessary cookies\n\n{table}a\tp\n\nOther cookies\n\n{table}x\tp"),
            "unclassified",
        ),
        (format!("Necessary cookies\n\n{table}a\tp\n\nWe also set some.\n\nx\tp"), "unclassified"),
        (format!("The following cookies are strictly necessary.\n\n{table}x\tp"), "necessary"),
        (
            format!("Some cookies are strictly necessary and need no consent.\n\n{table}x\tp"),
            "unclassified",
        ),
        (format!("# Necessary\n\n{table}a\tp\n\n# Other\n\n{table}x\tp"), "unclassified"),
        (format!("# Necessary\n\n{table}a\tp\n\nOthers\n\n{table}x\tp"), "unclassified"),
        (format!("# Marketing\n\n{table}a\tp\n\nGoogle\n\n{table}x\tp"), "marketing"),
        (format!("Some cookies below are necessary:\n\n{table}x\tp"), "unclassified"),
        (format!("# Marketing\n\n## Facebook\n\n{table}x\tp"), "marketing"),
        (format!("Unnecessary cookies\n\n{table}x\tp"), "unclassified"),
    ];
    for (page, category) in cases {
        let shown = shown(&page);
        let last = shown.last().unwrap();
        assert!(last.contains(&format!("x|||p|{category}|")), "{page}\n{shown:?}");
    }
}

#[test]
fn a_name_alone_on_its_row() {
    reads(
        "Fournisseur\tCookie\tFinalité\n\t_ga\t\n\tCookies tiers\t\n\tx\ty\n",
        &[
            "2: _ga||||unclassified||",
            "4: x|||y|third-party||",
            "3! Cookies tiers (it is taken for the category \"third-party\" of the next rows)",
        ],
    );
    reads(
        "| Nom | Finalité |\n|---|---|\n| **Marketing** | |\n| `_statistics_id` | |\n| preferences | p |\n",
        &[
            "4: _statistics_id||||marketing||",
            "5: preferences|||p|marketing||",
            "3! Marketing (it is taken for the category \"marketing\" of the next rows)",
        ],
    );
}

#[test]
fn what_cannot_be_placed_is_kept() {
    reads(
        "Nom\tFinalité\n_ga\tMesure\n_ga\tencore\n\tsans nom\nprénom\tautre\nAny\nb*\tun\n*b\tdeux\n\
         a\tb\tc\norphan_cookie\n$Version\tx\n",
        &[
            "2: _ga|||Mesure|unclassified||",
            "7: b*|||un|unclassified||",
            "10: orphan_cookie||||unclassified||",
            "3! _ga | encore | unclassified (line 2 declares it already)",
            "4! sans nom (it stands alone)",
            "5! prénom | autre (no cookie name holds 'é')",
            "6! Any (it names no cookie)",
            "8! *b | deux | unclassified (some names match \"b*\" of line 7 just as well)",
            "9! a | b | c (it has more cells than there are headings)",
            "11! $Version | x (names that begin with '$' never pass)",
        ],
    );
    reads(
        "a\tb\nc\td\n",
        &[
            "1! a | b (no heading says what its columns hold)",
            "2! c | d (no heading says what its columns hold)",
        ],
    );
    for page in ["", "Rien ici.\n", "<p>Rien</p>", "[]"] {
        let error = read(page, format_of(page));
        assert_eq!(error, Err(ImportError::NoTable), "{page:?}");
    }
}

#[test]
fn tables_of_other_things() {
    let cookies = "<table><tr><th>Cookie<th>Purpose<tr><td>_ga<td>p</table>";
    reads(
        &format!("{cookies}<table><tr><td>Mairie<td>01 02</table>"),
        &["1: _ga|||p|unclassified||", "1! Mairie | 01 02 (no heading says what its columns hold)"],
    );
    reads(
        "Cookie\tPurpose\tUse\n_ga\tp\tu\n\nContact\n\nMairie\t01 02\n\nGalleta   Empresa   Fin\n",
        &[
            "2: _ga|||p|unclassified||Use: u",
            "6! Mairie | 01 02 (no heading says what its columns hold)",
            "8! Galleta | Empresa | Fin (no heading says what its columns hold)",
        ],
    );
}

#[test]
fn names_over_several_lines_of_one_cell() {
    reads(
        "Fournisseur\tCookie\tFinalité\nGoogle\t_ga\n_gid\tMesure\nMatomo\t_pk_id\tautre\n",
        &[
            "2: _ga|Google||Mesure|unclassified||",
            "2: _gid|Google||Mesure|unclassified||",
            "4: _pk_id|Matomo||autre|unclassified||",
        ],
    );
}

#[test]
fn formats() {
    let cases = [
        ("a\tb", Format::Text),
        ("{\"a\": []}", Format::Json),
        ("{site}\tx", Format::Text),
        ("<!DOCTYPE HTML><p>", Format::Html),
        ("<table><tr><td>", Format::Html),
        ("a | b\n--|--\n", Format::Markdown),
        ("## x\n<table>", Format::Markdown),
        ("_ga_<id>\tx", Format::Text),
        ("Nom;Finalité\n_ga;x", Format::Csv),
        ("_gat_<tracker-id>\tx", Format::Text),
        ("_gat_<link_id>\tx\n<list-id>", Format::Text),
    ];
    for (text, expected) in cases {
        assert_eq!(format_of(text), expected, "{text}");
    }
}

#[test]
fn far_too_much() {
    let mut page = "Cookie\tPurpose\n".to_owned();
    for i in 0..=MAX_ROWS {
        page.push_str(&format!("c{i}\tp\n"));
    }
    assert_eq!(read(&page, Format::Text), Err(ImportError::TooLong));
    let spans = "<table><tr>".to_owned()
        + &"<td rowspan=60000 colspan=60000>x".repeat(100)
        + &"<tr><td>y".repeat(100_000);
    assert_eq!(read(&spans, Format::Html), Err(ImportError::TooLong));
    for hostile in ["*_".repeat(4_000), "[".repeat(4_000), "`".repeat(4_000), "<b".repeat(4_000)] {
        let page = format!("| Cookie | Purpose |\n|---|---|\n| x | {hostile} |\n");
        assert!(read(&page, Format::Markdown).is_ok());
    }
    let nested = "<table><tr><td>".repeat(5_000);
    assert_eq!(read(&nested, Format::Html), Err(ImportError::NoTable));
}

/// Joined cell by cell and line by line, each of these would be copied for minutes.
#[test]
fn rows_without_end_cost_no_more_than_their_length() {
    let html = "<table><tr><th>Cookie<th>Purpose<tr><td>_ga".to_owned() + &"<td>x".repeat(60_000);
    let tabs = "Cookie\tPurpose\tProvider\n_ga\tx\n".to_owned() + &"y\n".repeat(100_000);
    let aligned = "Cookie  Purpose\n_ga     x\n".to_owned() + &"        y  \n".repeat(50_000);
    for (page, format) in [(html, Format::Html), (tabs, Format::Text), (aligned, Format::Text)] {
        match read(&page, format) {
            Ok(import) => assert!(import.found.is_empty() && !import.unplaced.is_empty()),
            Err(error) => assert_eq!(error, ImportError::TooLong),
        }
    }
}

/// Each name carries the texts of its row, and each pattern is held against every other.
#[test]
fn names_without_end_are_refused() {
    let names = "ab,".repeat(1_300);
    let purpose = "x".repeat(3_900);
    let row = format!("{names}\t{purpose}\n");
    let import = read(&format!("Cookie\tPurpose\n{row}_ga\tx\n"), Format::Text).expect("a table");
    assert_eq!((import.found.len(), import.unplaced.len()), (1, 1));
    assert!(import.unplaced[0].reason.contains("more names"));
    let rows = |row: &dyn Fn(usize) -> String, count| {
        let rows: String = (0..count).map(row).collect();
        read(&format!("Cookie\tPurpose\n{rows}"), Format::Text)
    };
    let many = |i: usize| {
        let names: Vec<String> = (0..50).map(|n| format!("c{i}_{n}")).collect();
        format!("{}\tx\n", names.join(","))
    };
    assert_eq!(rows(&many, 300), Err(ImportError::TooLong));
    let overlapping = |i: usize| format!("*{i:04}*\tx\n");
    assert_eq!(rows(&overlapping, MAX_PATTERNS + 1), Err(ImportError::TooManyPatterns));
    assert_eq!(rows(&overlapping, MAX_PATTERNS).expect("a table").found.len(), 1);
    let long = |i: usize| format!("{}{i:04}??\tx\n", "?a".repeat(100));
    assert_eq!(rows(&long, 200), Err(ImportError::TooManyPatterns));
}

/// OneTrust's lists: hosts under a heading that speaks of cookies, and a lifetime for each name.
#[test]
fn a_subgroup_of_cookies_is_no_cookie() {
    reads(
        "<h4>Strictly Necessary Cookies</h4><table><tr><th>Cookie Subgroup<th>Cookies<th>Cookies used\
         <th>Lifespan<tr><td>example.com<td>OptanonConsent, OptanonAlertBoxClosed<td>First Party\
         <td>365 days, 364 days<tr><td>youtube.com<td>YSC<td>Third Party<td>Session</table>",
        &[
            "1: OptanonConsent|example.com|First Party||necessary||Lifespan: 365 days, 364 days",
            "1: OptanonAlertBoxClosed|example.com|First Party||necessary||Lifespan: 365 days, 364 days",
            "1: YSC|youtube.com|Third Party||necessary|session|",
        ],
    );
}

#[test]
fn a_list_of_terms_is_not_lost_beside_a_table() {
    let page = "<h2>Mesure d'audience</h2><dl><dt>_ga<dd>Compter<dd>2 ans\n<dt>sid<dd>Visite</dl>";
    let import = read(page, Format::Html).expect("a list");
    assert_eq!(import.found.len(), 1);
    assert_eq!(import.found[0].entry.purpose, "Compter 2 ans");
    assert_eq!(import.unplaced[0].text, "sid | Visite");
}

#[test]
fn cells_below_each_other_are_not_lost() {
    reads(
        "|===\n|Nom |Finalité\n\n|_ga\n|Mesure\n|===\n",
        &["4! _ga (it stands alone)", "5! Mesure (it stands alone)"],
    );
}

#[test]
fn placeholders_that_are_called_like_elements() {
    reads(
        "| Cookie | Purpose |\n|---|---|\n| time-<time> | <b>x</b> |\n| x-<data> | <i>y |\n",
        &["3: time-*|||x|unclassified||", "4: x-*|||y|unclassified||"],
    );
}

#[test]
fn a_heading_across_the_table_is_a_section_and_names_no_columns() {
    reads(
        "<table><tr><th>Nom<th>Finalité<th>Durée<tr><th colspan=3>Cookies nécessaires<tr><td>s<td>x\
         <td>session\n<tr><th colspan=3>Cookies tiers<tr><td>_ga<td>y<td>13 mois</table>",
        &[
            "1: s|||x|necessary|session|",
            "2: _ga|||y|third-party|13 months|",
            "1! Cookies nécessaires (it is taken for the category \"necessary\" of the next rows)",
            "2! Cookies tiers (it is taken for the category \"third-party\" of the next rows)",
        ],
    );
}

#[test]
fn prose_may_be_long() {
    let page = "<h2>Cookies</h2>".to_owned() + &"<p>x".repeat(2 * MAX_ROWS);
    reads(
        &(page + "<table><tr><th>Nom<th>But<tr><td>_ga<td>x</table>"),
        &["1: _ga|||x|unclassified||"],
    );
}

/// A portal's menus and lists of data sets have names with underscores, too.
#[test]
fn a_list_before_anything_is_said_of_cookies_declares_none() {
    let page = "<ul><li>jeux_de_donnees : arbres<li>Politique de cookies</ul><h1>Nos cookies</h1>\n\
                <ul><li>_pk_id : compter</ul>";
    reads(page, &["2: _pk_id|||compter|unclassified||"]);
}

#[test]
fn what_a_spreadsheet_exports() {
    reads(
        "\"Cookie\",\"Provider\",\"Purpose\",\"Duration\"\n_ga,Google,\"Stats, and\nmore\",13 months\n\
         \"_gid, _gat\",Google,x,1 day\n",
        &[
            "2: _ga|Google||Stats, and more|unclassified|13 months|",
            "4: _gid|Google||x|unclassified|1 day|",
            "4: _gat|Google||x|unclassified|1 day|",
        ],
    );
}

#[test]
fn what_visitors_do_not_see_declares_nothing() {
    reads(
        "<h2>Cookies</h2><h3 hidden>Nécessaires</h3><p style=\"display: none\">Cookies nécessaires</p>\n\
         <table><tr><th>Nom<th>Finalité<tr hidden><td>_fbp<td>a\n<tr style='display:none'><td>fr<td>b\n\
         <tr><td>_ga<td>c</table><template><table><tr><th>Nom<th>Finalité<tr><td>_gid<td>d</table></template>\n\
         <table hidden><tr><td>x<td>y</table>",
        &[
            "4: _ga|||c|unclassified||",
            "2! _fbp | a (visitors do not see it)",
            "3! fr | b (visitors do not see it)",
            "5! x | y (visitors do not see it)",
        ],
    );
}

/// A line that is not known ended the cookie, and what followed went to the next one.
#[test]
fn properties_stay_with_the_cookie_they_are_said_of() {
    let strange = "it is no property that is known, or not told of which cookie";
    for line in ["Cookie interne", "Site web : https://x.fr", "Strictement interne : oui"] {
        reads(
            &format!(
                "Charte cookies\n\nNom : sid\nFournisseur : Ville\n{line}\nCatégorie : Nécessaire\n\
                 Durée : session\n\nNom : _fbp\nFournisseur : Meta\nFinalité : pub\n"
            ),
            &[
                "3: sid|Ville|||necessary|session|",
                "9: _fbp|Meta||pub|unclassified||",
                &format!("5! {line} ({strange})"),
            ],
        );
    }
    // A name that could not be read, a property said twice, a gap, a foreign line apart: what comes
    // then is told of no cookie.
    for amid in ["sessionid\n", "Fournisseur : Ville\n", "\n", "\nMystère\n\n", "Nom :\n"] {
        let page = format!(
            "Cookies\n\nNom : _fbp\nFournisseur : Meta\n{amid}Catégorie : Nécessaire\n\nNom : _ga\nFinalité : x\n"
        );
        let shown = shown(&page);
        assert!(shown.iter().all(|row| !row.contains("|necessary|")), "{page}\n{shown:?}");
        assert!(shown.iter().any(|row| row.contains("Nécessaire")), "{page}\n{shown:?}");
    }
}

/// Its name alone looked like a line across a table, which says what category the next ones are in.
#[test]
fn a_cookie_that_is_called_like_a_category() {
    reads(
        "Cookies\n\nNom : essential\n\nNom : _fbp\nFinalité : x\n",
        &["3: essential||||unclassified||", "5: _fbp|||x|unclassified||"],
    );
}

#[test]
fn a_cookie_that_does_not_begin_with_its_name() {
    reads(
        "Cookies\n\nFournisseur : Meta\nNom : _fbp\nCatégorie : Marketing\n\n\
         Fournisseur : Ville\nNom : sid\nCatégorie : Nécessaire\n",
        &["3: _fbp|Meta|||marketing||", "7: sid|Ville|||necessary||"],
    );
    let at_the_end = "Cookies\n\nFournisseur : Meta\nCatégorie : Pub\nNom : _fbp\n\
                      Catégorie : Nécessaire\nNom : sid\n";
    assert!(shown(at_the_end).iter().all(|row| row.contains('!')));
}

#[test]
fn a_line_within_a_cookie_is_no_heading_of_the_next() {
    for gap in ["", "\n"] {
        let page = format!(
            "Cookies\n\nNom : sid\nFournisseur : V\nCookie nécessaire\n{gap}Nom : _fbp\nFinalité : x\n"
        );
        let shown = shown(&page);
        assert!(shown[1].contains("_fbp|||x|unclassified"), "{page}\n{shown:?}");
        assert!(shown[2].starts_with("5! Cookie nécessaire"), "{page}\n{shown:?}");
    }
}

#[test]
fn necessary_is_not_taken_from_what_says_that_it_is_not() {
    let table = "<table><tr><th>Nom<th>Finalité<tr><td>_fbp<td>p</table>";
    for before in [
        "<h3>En plus des cookies nécessaires</h3>",
        "<h3>Cookies strictement nécessaires : aucun</h3>",
        "<p>Les cookies suivants ne sont plus nécessaires :</p>",
        "<p>These cookies are necessary only if you consent:</p>",
        "<p>Un opt-in est nécessaire pour les cookies suivants :</p>",
        "<h3>Informations essentielles</h3>",
        "<p>Les cookies suivants sont nécessaires à la diffusion d'annonces ciblées :</p>",
        "<h3>Cookies nécessaires</h3><p>Aucun cookie de ce type.</p>",
        "<h3>Cookies nécessaires</h3><p>Ils servent à la publicité.</p>",
    ] {
        assert_eq!(shown(&format!("{before}{table}")), ["1: _fbp|||p|unclassified||"], "{before}");
    }
    for cell in ["Nécessaire : non", "Nécessaire (soumis à consentement)", "Guère nécessaire"]
    {
        let shown = shown(&format!("Cookie\tCatégorie\tFinalité\n_fbp\t{cell}\tp\n"));
        assert!(shown[0].contains("|p|unclassified|"), "{shown:?}");
    }
    reads(
        "Cookies nécessaires\n\nCookie\tFinalité\tNécessaire\nsid\tp\tOui\n_fbp\tq\tNon\n",
        &["4: sid|||p|necessary||Nécessaire: Oui", "5: _fbp|||q|unclassified||Nécessaire: Non"],
    );
}

/// The category of the last cookie in each layout, in which a tracker was taken for necessary.
#[test]
fn no_tracker_is_necessary_by_where_it_stands() {
    let sid = "<table><tr><th>Nom<th>But<tr><td>sid<td>x</table>";
    let fbp = "<table><tr><th>Nom<th>But<tr><td>_fbp<td>x</table>";
    let pages = [
        ("a heading below", format!("<h2>Cookies nécessaires</h2>{sid}<h3>Google Ads</h3>{fbp}")),
        ("others below", format!("<h2>Cookies nécessaires</h2>{sid}<h3>Autres cookies</h3>{fbp}")),
        ("further ones", format!("<h2>Cookies nécessaires</h2><p>Et aussi :</p>{fbp}")),
        ("a card above", format!("<h3>sid</h3><p>Catégorie : Nécessaire</p>{fbp}")),
        ("names above", format!("<p>Cookies nécessaires : sid, csrftoken</p>{fbp}")),
        (
            "a caption",
            sid.replace("<table>", "<table><caption>Cookies nécessaires</caption>") + fbp,
        ),
        (
            "a menu",
            format!("<button>Publicité</button><button>Cookies nécessaires</button>{fbp}{sid}"),
        ),
        ("a menu of headings", format!("<h3>Publicité</h3><h3>Cookies nécessaires</h3>{fbp}")),
        (
            "a line across some of the table",
            "<table><tr><th>Nom<th>But<th>Durée<tr><td colspan=3>Nécessaires<tr><td>sid<td>x<td>\
             <tr><td colspan=2>Cookies optionnels<td>13 mois<tr><td>_fbp<td>x<td></table>"
                .to_owned(),
        ),
    ];
    for (layout, page) in pages {
        let shown = shown(&page);
        let fbp = shown.iter().find(|row| row.contains("_fbp")).expect("a row");
        assert!(fbp.contains("|unclassified|"), "{layout}: {shown:?}");
    }
}

#[test]
fn consent_tools_lists() {
    reads(
        "<p>Nécessaire (2)</p><p>Les cookies nécessaires contribuent à rendre un site utilisable.</p>\
         <table><tr><th>Nom<th>Fournisseur<th>Finalité<th>Expiration<th>Type<tr><td>CookieConsent\
         <td>Cookiebot<td>x<td>1 année<td>HTTP</table><p>Non classés (1)</p><p>En cours.</p>\
         <table><tr><th>Nom<th>Fournisseur<th>Finalité<th>Expiration<th>Type<tr><td>zz<td>X<td>y\
         <td>Session<td>HTTP</table>",
        &[
            "1: CookieConsent|Cookiebot||x|necessary|1 year|Type: HTTP",
            "1: zz|X||y|unclassified|session|Type: HTTP",
        ],
    );
    reads(
        "<h4>Strictly Necessary Cookies</h4><p>These cookies are necessary for the website to function \
         and cannot be switched off. They are usually only set in response to actions made by you.</p>\
         <p>Always Active</p><table><tr><th>Cookies<th>Lifespan<tr><td>OptanonConsent<td>364 Days</table>",
        &["1: OptanonConsent||||necessary|364 days|"],
    );
    reads(
        "<h2>Liste des cookies</h2><ul><li>sid : la session<li><b>_fbp</b> : Meta</ul>",
        &[
            "1: _fbp|||Meta|unclassified||",
            "1! sid | la session (it stands in a list, and does not look like a cookie)",
        ],
    );
}
