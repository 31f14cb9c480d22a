//! Reading consent allocates nothing, whichever the tool, as long as its form needs no unpacking.

use allocation_counter::measure;
use cookie_firewall::consent::{Rules, State, Tool};
use cookie_firewall::cookie::Pairs;

/// A choice in the form of each tool: the id `a` or its usual ones granted, others refused.
const CHOICES: &[(Tool, &str)] = &[
    (
        Tool::Opendatasoft,
        "cookies_preferences=%7B%22a%22%3Atrue%2C%22timestamp%22%3A1789000000000%7D",
    ),
    (Tool::Tarteaucitron, "tarteaucitron=!a=true!b=false"),
    (Tool::Klaro, "klaro=%7B%22a%22%3Atrue%2C%22b%22%3Afalse%7D"),
    (Tool::Orejime, "orejime={\"a\":true,\"b\":false}"),
    (
        Tool::Cookieconsent,
        "cc_cookie=%7B%22categories%22%3A%5B%22a%22%5D%2C%22consentTimestamp%22%3A\
         %222026-09-01T00%3A00%3A00Z%22%2C%22consentId%22%3A%220%22%2C%22services%22%3A%7B%22a%22%3A%5B\
         %5D%7D%2C%22lastConsentTimestamp%22%3A%222026-09-01T00%3A00%3A00Z%22%7D",
    ),
    (
        Tool::Cookiebot,
        "CookieConsent={stamp:%27A%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true%2C\
         marketing:true%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1789000000000}",
    ),
    (
        Tool::Onetrust,
        "OptanonConsent=groups=a%3A1%2Cb%3A0; OptanonAlertBoxClosed=2026-09-01T00:00:00.000Z",
    ),
    (
        Tool::Axeptio,
        "axeptio_cookies={%22$$date%22:%222026-09-01T00:00:00Z%22%2C%22a%22:true%2C\
         %22$$completed%22:true}; axeptio_authorized_vendors=%2Ca%2C; axeptio_all_vendors=%2Ca%2Cb%2C",
    ),
    (Tool::Cookieyes, "cookieyes-consent=consent:yes,action:yes,a:yes,b:no"),
    (
        Tool::Complianz,
        "cmplz_banner-status=dismissed; cmplz_statistics=allow; cmplz_marketing=allow; \
         cmplz_preferences=allow",
    ),
    (Tool::DjangoCookieConsent, "cookie_consent=\"a=2026-01-01T00:00:00.5Z|b=-1\""),
    (Tool::Govuk, "cookies_policy={\"a\":true}; cookies_preferences_set=true"),
    (Tool::Matomo, "mtm_consent=1789000000000"),
    (Tool::Tcf, "euconsent-v2=COwxsONOwxsONKpAAAENAdCAAMAAAAAAAAAAAAAAAAAA"),
    (Tool::Gpp, "OTGPPConsent=DBABM~COwxsONOwxsONKpAAAENAdCAAMAAAAAAAAAAAAAAAAAA"),
    (Tool::EuConsent, "eu-consent=a=true&b=false&date=2026-09-01T00:00:00Z"),
];

#[test]
fn reading_a_choice_allocates_nothing() {
    for (tool, cookies) in CHOICES {
        let rules = Rules::new(*tool, tool.default_cookie()).expect("the tool's own name");
        let usual = tool.default_ids().iter().map(|(id, _)| *id).take(3);
        let rules = Rules { ids: usual.chain(["a"]).map(Into::into).collect(), ..rules };
        let rules = Rules { categories: [("a".into(), rules.all_ids())].into(), ..rules };
        let cookies = format!("sessionid=0123; {cookies}; _pk_id.1=abc");
        let mut state = State::Unset;
        let counted = measure(|| {
            state = rules.read(Pairs::of(cookies.as_bytes()), 1_790_000_000).state();
        });
        assert!([State::Granted, State::Partial].contains(&state), "{state:?}: {cookies}");
        assert_eq!(counted.count_total, 0, "{cookies}");
    }
}
