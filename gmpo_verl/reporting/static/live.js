"use strict";
/* Marks where the reader is among the sections, and while runs go on loads the page anew without moving the reader. */
(() => {
  const anchors = [...document.querySelectorAll("main section, figure.card, .finding, .tile")];
  const links = [...document.querySelectorAll(".bar nav a")];

  /* The first thing on the screen and how far down it is: what stands above it may grow. */
  function place() {
    const index = anchors.findIndex((anchor) => anchor.getBoundingClientRect().bottom > 60);
    if (scrollY < 40 || index < 0) return null;
    const inner = anchors.findLastIndex((anchor) => anchors[index].contains(anchor) && anchor.getBoundingClientRect().top < 60);
    const anchor = anchors[inner >= 0 ? inner : index];
    const id = anchor.id || anchor.closest("[id]").id;
    return [id, document.getElementById(id).getBoundingClientRect().top];
  }

  history.scrollRestoration = "manual";
  const kept = Report.state.get("place");
  if (kept && document.getElementById(kept[0]) && !(location.hash && performance.getEntriesByType("navigation")[0]?.type === "navigate")) {
    scrollTo({ top: scrollY + document.getElementById(kept[0]).getBoundingClientRect().top - kept[1], behavior: "instant" });
  }
  addEventListener("pagehide", () => Report.state.set("place", place()));

  const watched = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const link of links) {
        if (link.hash !== `#${target.id}`) {
          link.removeAttribute("aria-current");
          continue;
        }
        link.setAttribute("aria-current", "true");
        link.parentElement.scrollLeft = link.offsetLeft - link.parentElement.clientWidth / 2;
      }
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll("main section").forEach((section) => watched.observe(section));

  const seconds = Number(document.body.dataset.reloadSeconds);
  if (!seconds) return;
  const QUIET_MS = 4000;
  const pause = document.getElementById("pause");
  let paused = Boolean(Report.state.get("paused"));
  let touched = 0;

  function say() {
    pause.setAttribute("aria-pressed", String(paused));
    pause.querySelector(".words").textContent = paused ? "Paused" : "Live";
  }
  pause.addEventListener("click", () => {
    paused = !paused;
    Report.state.set("paused", paused);
    say();
  });
  say();

  // Not under the reader's hands: never while something is typed, marked or moved.
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "touchmove", "scroll"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true, capture: true });
  }
  const focus = Report.state.get("focus");
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  setInterval(() => {
    const busy = Date.now() - touched < QUIET_MS || String(getSelection());
    if (paused || document.hidden || busy || performance.now() < seconds * 1000) return;
    Report.state.set("focus", document.activeElement?.id || "");
    location.reload();
  }, 1000);
})();
