// Follows what the server renders: it fetches the main part of the page again and changes what is
// different, so that focus, scroll position, open details and typed text stay.
(() => {
  "use strict";
  const rules = window.trustedTypes
    ? trustedTypes.createPolicy("console", { createHTML: (html) => html })
    : { createHTML: (html) => html };
  const main = () => document.getElementById("main");
  let tag = "";
  let asking = false;
  let again = false;

  // same says that two nodes are the same one at two moments.
  const keyOf = (n) => (n.nodeType === 1 ? n.id || n.dataset.key || "" : "");
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  function attributes(from, to) {
    for (const { name } of [...from.attributes]) {
      const ours = name === "open" || name === "hidden" || (name === "value" && from.nodeName === "INPUT");
      if (!to.hasAttribute(name) && !ours) from.removeAttribute(name);
    }
    for (const { name, value } of [...to.attributes]) {
      const typed = from.nodeName === "INPUT" && from.type !== "hidden" && from.type !== "checkbox";
      const ours = name === "hidden" || (name === "value" && typed);
      if (!ours && from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  }

  function morph(from, to) {
    if (from.nodeType !== 1) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    const marked = from.classList.contains("here");
    attributes(from, to);
    if (marked) from.classList.add("here");
    const keyed = new Map();
    for (const c of from.children) if (keyOf(c)) keyed.set(keyOf(c), c);
    const wanted = new Set([...to.children].map(keyOf));
    const stays = (n) => keyOf(n) && wanted.has(keyOf(n));
    let at = from.firstChild;
    for (const next of [...to.childNodes]) {
      const key = keyOf(next);
      const old = key ? keyed.get(key) : seek(at, next);
      if (!old || !same(old, next)) {
        from.insertBefore(document.importNode(next, true), at);
        continue;
      }
      // What is not there any more goes first: to move the old one would take the focus from it.
      while (at && at !== old && !stays(at)) at = drop(at);
      if (old === at) at = at.nextSibling;
      else from.insertBefore(old, at);
      morph(old, next);
    }
    while (at) at = drop(at);
  }

  function drop(n) {
    const rest = n.nextSibling;
    n.remove();
    return rest;
  }

  // seek finds the node without a key, at a place or behind it, that is the same one as next.
  function seek(at, next) {
    if (next.nodeType !== 1) return at && same(at, next) ? at : null;
    for (let n = at; n; n = n.nextSibling) {
      if (!keyOf(n) && same(n, next) && n.className === next.className) return n;
    }
    return null;
  }

  async function refresh() {
    if ("still" in main().dataset) return; // made of a form
    if (asking) { again = true; return; }
    asking = true;
    try {
      const url = new URL(location.href);
      url.searchParams.delete("read");
      url.searchParams.delete("again");
      url.searchParams.delete("load");
      const pinned = main().dataset.pinned;
      if (pinned > 0 && !url.searchParams.has("snapshot")) url.searchParams.set("snapshot", pinned);
      const headers = { "Bunnicula-Console-Fragment": "main" };
      if (tag) headers["If-None-Match"] = tag;
      const answer = await fetch(url, { headers, cache: "no-store", redirect: "error" });
      if (answer.status === 304) return;
      const type = answer.headers.get("Content-Type") || "";
      if (!type.startsWith("text/html")) return;
      if (answer.status === 403) { stop(); return; }
      if (answer.status === 404 || answer.status >= 500) { tag = ""; if (answer.status !== 502) return; }
      const text = await answer.text();
      tag = answer.headers.get("ETag") || "";
      const next = new DOMParser().parseFromString(rules.createHTML(text), "text/html").getElementById("main");
      if (!next) return;
      morph(main(), next);
      prepare();
      if (followed !== JSON.stringify([main().dataset.events, main().dataset.every])) follow();
    } catch { /* the server is away: the next hint or tick asks again */
    } finally {
      asking = false;
      if (again) { again = false; refresh(); }
    }
  }

  let source = null;
  let timer = 0;
  let followed = "";
  function follow() {
    stop();
    followed = JSON.stringify([main().dataset.events, main().dataset.every]);
    if (document.hidden) return;
    const { events, every } = main().dataset;
    if (events) {
      source = new EventSource(events);
      source.onmessage = refresh;
      source.onerror = () => { // refused, because too many pages wait for hints: the browser gives up
        if (source?.readyState === EventSource.CLOSED && !timer) timer = setInterval(refresh, 5000);
      };
      source.onopen = refresh; // the reading may be over since the page was made
    }
    if (every) timer = setInterval(refresh, every * 1000);
  }
  function stop() {
    if (source) source.close();
    clearInterval(timer);
    timer = 0;
    source = null;
  }

  // prepare shows what needs a script.
  function prepare() {
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
    for (const button of document.querySelectorAll("[data-keys]")) button.hidden = false;
    tick();
    const zone = document.querySelector("[data-zone=local]");
    if (zone && new URL(zone.href).searchParams.get("zone") === "local") {
      const url = new URL(zone.href);
      url.searchParams.set("zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "local");
      zone.href = url.href;
    }
  }

  // Ticked rows stay ticked over refreshes, and on the other pages of a list, as long as the filter
  // is the same one. The form gets those that are on other pages as hidden fields.
  const most = 1000;
  const boxes = () => [...document.querySelectorAll("#selection input[type=checkbox][name=mark]")];
  const place = () => "ticked " + location.pathname + " " + (new URLSearchParams(location.search).get("filter") || "");
  function ticked() {
    try { return new Set(JSON.parse(sessionStorage.getItem(place())) || []); } catch { return new Set(); }
  }
  function keep(marks) {
    try { sessionStorage.setItem(place(), JSON.stringify([...marks])); } catch { /* there is no room: this page's ticks count */ }
  }

  // tick shows what is ticked.
  function tick() {
    const form = document.getElementById("selection");
    if (!form) return;
    const marks = ticked();
    const here = new Set(boxes().map((box) => box.value));
    for (const box of boxes()) box.checked = marks.has(box.value);
    for (const field of form.querySelectorAll("[data-elsewhere]")) field.remove();
    const elsewhere = [...marks].filter((mark) => !here.has(mark));
    for (const mark of elsewhere) {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "mark", value: mark });
      field.dataset.elsewhere = "";
      form.append(field);
    }
    const others = elsewhere.length ? `, ${elsewhere.length} of them on other pages` : "";
    const text = marks.size ? `, ${marks.size}${others}${marks.size >= most ? ", no more are possible" : ""}` : "";
    for (const out of document.querySelectorAll("[data-ticked]")) out.textContent = text;
    for (const button of document.querySelectorAll("[data-untick]")) button.hidden = !marks.size;
  }
  function toggle(mark, on) {
    const marks = ticked();
    if (!on) marks.delete(mark);
    else if (marks.size < most) marks.add(mark);
    keep(marks);
    tick();
  }

  // forget unticks, on all lists, what an operation is about to take: who is parked again by it has
  // not been chosen anew.
  function forget(taken) {
    try {
      for (const key of Object.keys(sessionStorage).filter((k) => k.startsWith("ticked "))) {
        sessionStorage.setItem(key, JSON.stringify(JSON.parse(sessionStorage.getItem(key)).filter((mark) => !taken.has(mark))));
      }
    } catch { /* as if nothing had been kept */ }
  }
  document.addEventListener("submit", (e) => {
    const marks = e.target.elements?.mark?.value;
    if (marks && e.submitter?.classList.contains("do")) forget(new Set(marks.split(",")));
  });

  const rowHere = () => document.querySelector("tr[data-key].here");
  function tickHere() {
    const box = rowHere()?.querySelector("input[type=checkbox][name=mark]");
    if (box) toggle(box.value, !box.checked);
  }

  // plan presses the first button for what is ticked, or else for all; on a message's page the only one.
  function plan() {
    const press = (name) => document.querySelector(`#selection button[name=${name}]`);
    (press(ticked().size ? "ticked" : "all") || press("ticked"))?.click();
  }

  // compare opens the two ticked messages, or the row and the one before it.
  function compare() {
    const row = rowHere();
    const rows = [...(row?.parentNode || document).querySelectorAll("tr[data-key]")]; // of one queue
    const link = (row || rows[0])?.querySelector("a[href*='/m/']");
    let pair = [...ticked()];
    const at = rows.indexOf(row);
    if (pair.length !== 2 && at > 0) pair = [rows[at - 1].dataset.key, row.dataset.key];
    if (!link || pair.length !== 2) { document.querySelector("a[data-key=compare]")?.click(); return; }
    const url = new URL(link.href);
    url.pathname = url.pathname.replace(/\/m\/[0-9a-f]+$/, "/compare");
    url.searchParams.set("a", pair[0]);
    url.searchParams.set("b", pair[1]);
    location.assign(url);
  }

  function step(by) {
    const rows = [...document.querySelectorAll("tr[data-key]")];
    if (!rows.length) return;
    const at = rows.findIndex((r) => r.classList.contains("here"));
    rows[at]?.classList.remove("here");
    const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
    row.classList.add("here");
    row.scrollIntoView({ block: "nearest" });
    row.querySelector("a")?.focus({ preventScroll: true });
  }

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input:not([type=checkbox]), textarea, select, dialog")) return;
    switch (e.key) {
      case "/": {
        const filter = document.getElementById("filter");
        if (filter) { e.preventDefault(); filter.focus(); filter.select(); }
        break;
      }
      case "j": step(1); break;
      case "k": step(-1); break;
      case "x": tickHere(); break;
      case "d": compare(); break;
      case "r": plan(); break;
      case "?": document.getElementById("keys")?.showModal(); break;
      case "g": document.querySelector("nav a")?.click(); break;
      case "[": document.querySelector("a[rel=prev]")?.click(); break;
      case "]": document.querySelector("a[rel=next]")?.click(); break;
    }
  });
  document.addEventListener("change", (e) => {
    if (e.target.matches?.("#selection input[type=checkbox][name=mark]")) toggle(e.target.value, e.target.checked);
  });
  document.addEventListener("click", (e) => {
    if (e.target.closest?.("[data-keys]")) document.getElementById("keys").showModal();
    if (e.target.closest?.("[data-untick]")) { keep([]); tick(); }
    const button = e.target.closest?.("[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(button.previousElementSibling.textContent).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); follow(); });
  prepare();
  follow();
})();
