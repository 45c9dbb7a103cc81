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
      const ours = name === "hidden" || (name === "value" && from.nodeName === "INPUT" && from.type !== "hidden");
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
      source.onopen = refresh; // the reading may be over since the page was made
    }
    if (every) timer = setInterval(refresh, every * 1000);
  }
  function stop() {
    if (source) source.close();
    clearInterval(timer);
    source = null;
  }

  // prepare shows what needs a script.
  function prepare() {
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
    const zone = document.querySelector("[data-zone=local]");
    if (zone && new URL(zone.href).searchParams.get("zone") === "local") {
      const url = new URL(zone.href);
      url.searchParams.set("zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "local");
      zone.href = url.href;
    }
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
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input, textarea, select")) return;
    switch (e.key) {
      case "/": {
        const filter = document.getElementById("filter");
        if (filter) { e.preventDefault(); filter.focus(); filter.select(); }
        break;
      }
      case "j": step(1); break;
      case "k": step(-1); break;
      case "g": document.querySelector("nav a")?.click(); break;
      case "[": document.querySelector("a[rel=prev]")?.click(); break;
      case "]": document.querySelector("a[rel=next]")?.click(); break;
    }
  });
  document.addEventListener("click", (e) => {
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
