"use strict";
// Copies a snippet, lets the lines of a price be sent away with Escape, and keeps the address that of what is chosen.
// Everything else needs no script.
(() => {
  const COPIED_MS = 2000;
  document.documentElement.classList.add("scripted");

  const told = document.createElement("p");
  told.className = "unseen";
  told.setAttribute("role", "status");
  document.body.append(told);

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copies);
    if (source === null) return;
    const word = button.firstChild;
    try {
      await navigator.clipboard.writeText(source.textContent);
      word.textContent = "Copied";
    } catch {
      // Without https a browser has no clipboard for pages: the text is marked, and the keyboard copies it.
      getSelection().selectAllChildren(source);
      word.textContent = "Marked";
    }
    told.textContent = word.textContent === "Copied" ? "Copied" : "Marked: copy it with the keyboard";
    setTimeout(() => { word.textContent = "Copy"; told.textContent = ""; }, COPIED_MS);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (button !== null) copy(button);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.documentElement.classList.add("quiet-pops");
  });
  document.addEventListener("htmx:after:swap", () => {
    const part = document.querySelector("[data-address]");
    if (part !== null) history.replaceState(history.state, "", part.dataset.address);
  });
  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      if (event.target.closest(".price") !== null) document.documentElement.classList.remove("quiet-pops");
    });
  }
})();
