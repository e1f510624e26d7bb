"use strict";
// A part of the page that is loaded anew when something has happened, at most every few seconds.
(() => {
  const PAUSE_MS = 3000;
  const place = document.querySelector("[data-refresh]"), state = document.getElementById("live-state");
  if (!place || typeof EventSource === "undefined") return;
  let waiting = false, source;

  const say = (word, tone) => { state.textContent = word; state.className = `state ${tone}`; };
  const load = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html", "Gatekeeper-By-Itself": "1" } });
    if (!answer.ok || answer.redirected) { say("Not live: load the page again", "bad"); source.close(); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (place.contains(document.activeElement)) return; // whoever is in the table keeps their place
    place.replaceChildren(...fresh.getElementById(place.id).children);
    document.getElementById("now").textContent = fresh.getElementById("now").textContent;
  };
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; load().catch(() => say("Reconnecting", "warn")); }, PAUSE_MS);
  };
  const open = () => {
    source = new EventSource(place.dataset.refresh);
    source.addEventListener("open", () => say("Live", "good"));
    source.addEventListener("changed", soon);
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) say("Not live: load the page again", "bad");
      else say("Reconnecting", "warn");
    });
  };
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
})();
