"use strict";
// Rows that come while one looks. Without scripts the page is as it was when it was loaded.
(() => {
  const rows = document.querySelector("[data-live]"), state = document.getElementById("live-state");
  const pause = document.getElementById("pause"), none = document.getElementById("none");
  if (!rows || typeof EventSource === "undefined") return;
  const most = Number(rows.dataset.max), waiting = [];
  let paused = false, source;

  const say = (word, tone) => { state.textContent = word; state.className = `state ${tone}`; };
  const add = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const row = holder.content.firstElementChild;
    if (rows.querySelector(`[data-number="${CSS.escape(row.dataset.number)}"]`)) return;
    rows.prepend(row);
    row.classList.add("new");
    while (rows.rows.length > most) rows.lastElementChild.remove();
    none.hidden = true;
  };
  const told = () => say(paused ? `Paused${waiting.length ? `, ${waiting.length} more` : ""}` : "Live", paused ? "warn" : "good");

  const open = () => {
    source = new EventSource(rows.dataset.live);
    source.addEventListener("open", told);
    source.addEventListener("refusal", (event) => {
      if (!paused) { add(event.data); return; }
      waiting.push(event.data);
      if (waiting.length > most) waiting.shift();
      told();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) say("Not live: load the page again", "bad");
      else say("Reconnecting", "warn");
    });
  };
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) waiting.splice(0).forEach(add);
    told();
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
})();
