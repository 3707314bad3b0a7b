"use strict";
/* The browser of answers: filters, the list, the chosen answer, and what of it is kept when the page loads anew. */
(async () => {
  const { samples } = Report;
  if (!samples) return;
  const form = document.getElementById("filters");
  const count = document.getElementById("sample-count");
  const panel = document.getElementById("sample-detail");
  const listElement = document.getElementById("sample-list");
  const runs = Report.json("runs-data");
  let turn = 0;
  let textsAreThere = false;
  let shown = null;

  // The page comes first: the answers are opened once it stands.
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  try {
    await samples.open();
  } catch {
    count.textContent = "This browser cannot open the answers: it has no DecompressionStream (Chrome 80, Firefox 113, Safari 16.4 or newer have).";
    return;
  }

  const byProblem = new Map();
  const question = samples.problems().map(([text]) => text);
  samples.column("problem").forEach((problem, i) => {
    const key = question[problem];
    if (!byProblem.has(key)) byProblem.set(key, []);
    byProblem.get(key).push(i);
  });
  const siblings = (sample) => byProblem.get(sample.question).map(samples.at).sort((a, b) => b.validation - a.validation || a.run - b.run || a.step - b.step || a.i - b.i);

  const filters = new Report.SampleFilters(form, samples, runs, () => {
    listElement.scrollTop = 0;
    apply();
  });
  const detail = new Report.SampleDetail(panel, { runs, siblings, go: (i) => choose(i, true, true), close });
  const list = new Report.SampleList(listElement, {
    row: (i) => {
      const sample = samples.at(i);
      const { glyph, word, kind } = Report.SampleDetail.verdict(sample);
      const { element: make, text } = Report;
      const said = sample.answer === null ? "no answer found" : `answer ${text.plain(sample.answer.slice(0, 120))}`;
      return [
        make("span", { class: `glyph ${kind}` }, make("span", { "aria-hidden": "true" }, glyph), make("span", { class: "sr" }, `${word}. `)),
        make("span", { dir: "auto" }, text.plain(sample.question.slice(0, 200))),
        make("span", { class: "where" }, `step ${sample.step}`),
        make("span", { class: "said" }, `${said}; truth ${text.plain(sample.truth.slice(0, 60))}; ${sample.validation ? "validation" : "training"}${runs.length > 1 ? `; ${runs[sample.run]}` : ""}`),
      ];
    },
    choose: (i, opened) => choose(i, opened, false),
    leave: close,
    step: (by) => shown && detail.step(shown, by),
  });

  /* Show an answer; `reveal` moves the list to it as well. */
  function choose(i, opened, reveal) {
    shown = samples.at(i);
    if (!shown) return;
    detail.show(shown);
    if (opened) {
      panel.classList.add("open");
      if (getComputedStyle(panel).position === "fixed") panel.focus();
    }
    if (reveal) {
      const place = list.items.indexOf(i);
      list.chosen = place;
      list.clear();
      if (place >= 0) list.reveal(place);
      list.draw();
      if (panel.contains(document.activeElement) || document.activeElement === document.body) {
        (panel.querySelector(".follow [aria-current]") || panel).focus({ preventScroll: true });
      }
    }
    Report.state.set("sample", identity(shown));
    Report.state.set("open", panel.classList.contains("open"));
  }

  function close() {
    panel.classList.remove("open");
    Report.state.set("open", false);
    listElement.focus();
  }

  /* What a sample is called across versions of the page, in which its position may be another. */
  function identity(sample) {
    const same = siblings(sample).filter((other) => other.run === sample.run && other.step === sample.step && other.validation === sample.validation);
    return [sample.question, sample.run, sample.step, sample.validation, same.findIndex((other) => other.i === sample.i)];
  }

  function found([text, run, step, validation, number]) {
    const same = (byProblem.get(text) || []).map(samples.at).filter((other) => other.run === run && other.step === step && other.validation === validation);
    return same[number]?.i ?? -1;
  }

  async function apply() {
    const mine = (turn += 1);
    const { values } = filters;
    Report.state.set("filters", values);
    const items = await samples.search(values.search.trim(), filters.apply(values), () => turn !== mine);
    if (items === null || turn !== mine) return;
    list.show(items, shown ? items.indexOf(shown.i) : -1);
    const right = items.filter((i) => filters.column.right[i]).length;
    const pending = values.search && !textsAreThere ? " so far; the texts are still being opened" : "";
    count.textContent = items.length ? `${items.length.toLocaleString("en")} answers, ${right.toLocaleString("en")} right (${Math.round((100 * right) / items.length)} %)${pending}` : `No answer matches${pending}. Clear the filters to see all.`;
  }

  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    form.elements.search.focus();
  });

  const kept = Report.state.get("sample") ? found(Report.state.get("sample")) : -1;
  if (kept >= 0) choose(kept, Boolean(Report.state.get("open")), false);
  await apply();
  if (Report.state.get("listTop")) listElement.scrollTop = Report.state.get("listTop");
  addEventListener("pagehide", () => Report.state.set("listTop", listElement.scrollTop));

  await samples.openTexts();
  textsAreThere = true;
  if (shown) {
    shown = samples.at(shown.i);
    detail.show(shown);
  }
  if (filters.values.search) await apply();
  document.getElementById("samples").dataset.ready = "true";
})();
