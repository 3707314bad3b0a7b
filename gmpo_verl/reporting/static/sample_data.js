"use strict";
/* The answers: their columns first, then their texts, chunk by chunk, inflated by the browser while the page is idle. */
Report.samples = (() => {
  const index = document.getElementById("sample-index");
  if (!index) return null;
  const SLICE_MS = 12;
  let table = null;
  const texts = [];

  async function unpack(element) {
    const binary = atob(element.textContent);
    element.remove();
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  const pause = () => new Promise((resolve) => setTimeout(resolve));

  /* All rows as objects that read the columns; `done` says when the texts are there too. */
  async function open() {
    table = await unpack(index);
    const { columns } = table;
    api.count = columns.problem.length;
    return api;
  }

  async function openTexts() {
    for (const chunk of document.querySelectorAll(".sample-chunk")) {
      for (const text of await unpack(chunk)) texts.push(text);
      await pause();
    }
  }

  /* The sample at a position, null for none. Its text is null until it has been inflated. */
  function at(i) {
    const { columns, problems } = table;
    if (!(i >= 0 && i < api.count)) return null;
    const sample = { i };
    for (const name of Object.keys(columns)) sample[name] = columns[name][i];
    [sample.question, sample.prompt, sample.truth, sample.benchmark] = problems[sample.problem];
    [sample.output, sample.cut, sample.why] = texts[i] || [null, 0, ""];
    return sample;
  }

  const contains = (text, pattern) => typeof text === "string" && pattern.test(text);

  /* Positions whose problem, answer or response holds `words`, in slices that leave the page responsive.
     Returns null where a newer search has begun. */
  async function search(words, candidates, isStale) {
    if (!words) return candidates;
    const pattern = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
    const { columns, problems } = table;
    const inProblem = problems.map(([question, , truth]) => contains(question, pattern) || contains(truth, pattern));
    const found = [];
    let began = performance.now();
    for (const i of candidates) {
      if (inProblem[columns.problem[i]] || contains(columns.answer[i], pattern) || (texts[i] && contains(texts[i][0], pattern))) found.push(i);
      if (performance.now() - began > SLICE_MS) {
        await pause();
        if (isStale()) return null;
        began = performance.now();
      }
    }
    return found;
  }

  const api = { count: 0, open, openTexts, at, search, column: (name) => table.columns[name], problems: () => table.problems };
  return api;
})();
