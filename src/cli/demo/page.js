// What only the browser can say: which cookies it holds. Names alone are read and shown; the one
// value looked into is the visitor's own answer, `cookies_preferences`.
(() => {
  "use strict";

  const french = document.documentElement.lang === "fr";
  const say = (fr, en) => (french ? fr : en);
  const rows = document.getElementById("cookies");
  const verdict = document.getElementById("verdict");

  // Cookies as scripts see them: name to value, a cookie without `=` being nameless.
  const visible = () => {
    const pairs = document.cookie.split(";").map((pair) => pair.trim()).filter(Boolean);
    return new Map(pairs.map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? ["", pair] : [pair.slice(0, at), pair.slice(at + 1)];
    }));
  };

  const preferences = () => {
    try {
      return JSON.parse(decodeURIComponent(visible().get("cookies_preferences"))) || {};
    } catch {
      return {};
    }
  };

  // The banner: the answer is written here, as Opendatasoft's own script does, and the page is
  // asked for again. Where the cookie does not stick, the form goes to the portal as without script.
  document.querySelector("form.consent").addEventListener("submit", (event) => {
    const form = event.currentTarget;
    const choice = event.submitter ? event.submitter.value : "save";
    const wanted = (name) => choice === "accept" || (choice === "save" && form.elements[name].checked);
    const answer = {
      functional_cookies: true,
      matomo: wanted("matomo"),
      ga: wanted("ga"),
      timestamp: Date.now(),
    };
    const value = encodeURIComponent(JSON.stringify(answer));
    document.cookie = "cookies_preferences=" + value + "; path=/; max-age=15552000; SameSite=Lax";
    if (visible().get("cookies_preferences") === value) {
      event.preventDefault();
      location.assign("/");
    }
  });

  const element = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  };

  const fill = (cell, state, word, detail) => {
    cell.replaceChildren(element("span", "state " + state, word));
    if (detail) {
      cell.append(element("small", "", detail));
    }
  };

  // A cookie of this browser that the portal neither sent nor received with this page.
  const foreignRow = (name) => {
    const row = rows.insertRow();
    row.setAttribute("role", "row");
    row.dataset.name = name;
    const head = element("th", "", "");
    head.scope = "row";
    head.setAttribute("role", "rowheader");
    head.append(
      element("code", "", name || say("(sans nom)", "(nameless)")),
      element("small", "", say(
        "Pas un cookie de ce portail, ou pas de cette page.",
        "Not one of this portal’s cookies, or not of this page.",
      )),
    );
    row.append(head);
    for (const above of Array.from(rows.rows[0].cells).slice(1)) {
      const cell = row.insertCell();
      cell.setAttribute("role", "cell");
      cell.dataset.lane = above.dataset.lane;
      fill(cell, "absent", say("non", "no"));
    }
    return row;
  };

  const reasonFor = (row, chosen) => {
    if (row.dataset.declared === "no") {
      return say("absent de la charte", "not in the charter");
    }
    const id = row.dataset.consent;
    if (!id || chosen[id] === true) {
      return "";
    }
    return id in chosen
      ? say("consentement refusé", "consent refused")
      : say("sans consentement", "no consent yet");
  };

  // Answers `stopped`, `leaked` (there against the charter or the visitor's answer), `arrived` or
  // `absent`. `received` is null where the portal could not be asked: then what scripts cannot
  // read may still be there.
  const judge = (row, scripts, received, chosen) => {
    const cell = row.cells[2];
    const name = row.dataset.name;
    const tried = "set" in row.dataset;
    const reason = reasonFor(row, chosen);
    const readable = scripts.has(name);
    const returned = received === null || received.has(name);
    if (!readable && received === null) {
      fill(cell, "unknown", say("inconnu", "unknown"));
      return "absent";
    }
    if (!readable && !returned) {
      fill(cell, tried ? "stopped" : "absent", tried ? say("arrêté", "stopped") : say("non", "no"),
        tried && reason);
      return tried ? "stopped" : "absent";
    }
    if (readable && !returned) {
      fill(cell, "stopped", say("retenu", "withheld"), say(
        "dans ce navigateur, mais n’atteint pas le portail",
        "in this browser, but does not reach the portal",
      ));
      return "stopped";
    }
    const kind = readable ? say("lisible par les scripts", "readable by scripts") : "HttpOnly";
    if (reason) {
      fill(cell, "leaked", say("arrivé", "arrived"), kind + ", " + reason);
      return "leaked";
    }
    fill(cell, "arrived", tried ? say("arrivé", "arrived") : say("présent", "present"), kind);
    return "arrived";
  };

  const listed = (names) => names.flatMap((name, at) => {
    const code = element("code", "", name);
    return at === 0 ? [code] : [", ", code];
  });

  const conclude = (tried, stopped) => {
    verdict.className = "verdict " + (stopped.length > 0 && navigator.cookieEnabled ? "good" : "warn");
    if (!navigator.cookieEnabled) {
      verdict.textContent = say(
        "Ce navigateur refuse lui-même tous les cookies\u00a0: rien ne peut être montré du pare-feu.",
        "This browser itself refuses all cookies: nothing can be shown of the firewall.",
      );
    } else if (stopped.length === 0) {
      verdict.textContent = say(
        "Rien n’a été arrêté, traceurs compris\u00a0: cette page vous est parvenue sans le pare-feu, ou il ne fait que compter.",
        "Nothing was stopped, trackers included: this page reached you without the firewall, or it is only counting.",
      );
    } else {
      const count = say(
        ` des ${tried} cookies que le portail a voulu déposer avec cette page\u00a0: `,
        ` of the ${tried} cookies that the portal tried to set with this page: `,
      );
      const bold = element("b", "", say(
        `cookie-firewall a arrêté ${stopped.length}`,
        `cookie-firewall stopped ${stopped.length}`,
      ));
      verdict.replaceChildren(bold, count, ...listed(stopped), ".");
    }
  };

  const show = (received) => {
    const scripts = visible();
    const chosen = preferences();
    const known = new Set(Array.from(rows.rows, (row) => row.dataset.name));
    for (const name of [...scripts.keys(), ...(received ?? [])]) {
      if (!known.has(name)) {
        known.add(name);
        foreignRow(name);
      }
    }
    const stopped = [];
    let tried = 0;
    for (const row of rows.rows) {
      const outcome = judge(row, scripts, received, chosen);
      row.className = outcome + "-row";
      if ("set" in row.dataset) {
        tried += 1;
        if (outcome === "stopped") {
          stopped.push(row.dataset.name);
        }
      }
    }
    conclude(tried, stopped);
  };

  fetch("/cookies.json", { cache: "no-store", credentials: "same-origin" })
    .then((response) => (response.ok ? response.json() : Promise.reject(response.status)))
    .then((answer) => new Set(answer.received), () => null)
    .then(show);
})();
