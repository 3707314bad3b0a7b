"use strict";
/* Colours as the system has them, light, or dark; the choice is kept. */
Report.theme = (() => {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const choices = ["auto", "light", "dark"];
  const said = { auto: "as the system", light: "light", dark: "dark" };
  const listeners = [];
  let choice = choices.includes(Report.state.get("theme")) ? Report.state.get("theme") : "auto";

  function apply() {
    document.documentElement.dataset.theme = choice;
    button.setAttribute("aria-label", `Colours: ${said[choice]}`);
    button.title = `Colours: ${said[choice]}`;
    button.textContent = { auto: "\u25D0", light: "\u2600\uFE0E", dark: "\u263E\uFE0E" }[choice];
    listeners.forEach((listener) => listener());
  }

  button.addEventListener("click", () => {
    choice = choices[(choices.indexOf(choice) + 1) % choices.length];
    Report.state.set("theme", choice);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
  return {
    dark: () => choice === "dark" || (choice === "auto" && system.matches),
    onChange: (listener) => listeners.push(listener),
  };
})();
