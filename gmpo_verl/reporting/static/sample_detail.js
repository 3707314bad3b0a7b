"use strict";
/* One answer in full: problem, response, what was read as the answer, reward and why, and the problem's other answers. */
Report.SampleDetail = class {
  constructor(element, { runs, siblings, go, close }) {
    Object.assign(this, { element, runs, siblings, go, close });
    element.addEventListener("keydown", (event) => event.key === "Escape" && close());
  }

  static verdict(sample) {
    if (sample.right === null) return { glyph: "?", word: "Not graded", kind: "unknown" };
    if (sample.truncated) return { glyph: "\u2702\uFE0E", word: sample.right ? "Right, but truncated" : "Truncated", kind: "cut" };
    return sample.right ? { glyph: "\u2713", word: "Right", kind: "right" } : { glyph: "\u2717", word: "Wrong", kind: "wrong" };
  }

  static place(sample, runs) {
    const name = runs.length > 1 ? `, ${runs[sample.run]}` : "";
    return `${sample.validation ? "validation" : "training"} at step ${sample.step}${name}`;
  }

  show(sample) {
    const { element: make, text } = Report;
    const { glyph, word, kind } = Report.SampleDetail.verdict(sample);
    const block = (content) => text.fill(make("div", { class: "words" }), content);
    const reward = sample.score === null ? "" : `, reward ${sample.score}`;
    const others = this.siblings(sample);
    const response = sample.output === null ? make("p", { class: "hint" }, "Opening the text \u2026") : block(sample.output);
    const parts = [
      make("div", { class: "head" },
        make("p", { class: `verdict ${kind}` }, make("span", { "aria-hidden": "true" }, `${glyph} `), word + reward),
        this.moves(sample, others)),
      make("p", { class: "hint why" }, Report.SampleDetail.place(sample, this.runs) + (sample.benchmark ? `, ${text.plain(sample.benchmark)}` : "") + "."),
      make("p", { class: "why" }, sample.why || ""),
      make("h3", {}, "Problem"), block(sample.question),
      sample.prompt ? make("details", {}, make("summary", {}, "The whole prompt"), block(sample.prompt)) : null,
      this.follow(sample, others),
      make("h3", {}, "Response"), response,
      sample.cut ? make("p", { class: "hint" }, `${sample.cut.toLocaleString("en")} characters in the middle are left out.`) : null,
      make("div", { class: "pair" },
        make("div", {}, make("h3", {}, "Answer read from it"), this.answer(sample.answer, "none found")),
        make("div", {}, make("h3", {}, "Ground truth"), this.answer(sample.truth, "none given"))),
      this.facts(sample),
    ];
    this.element.replaceChildren(...parts.filter(Boolean));
    this.element.scrollTop = 0;
  }

  /* An answer stands without delimiters; it is mathematics all the same. */
  answer(value, missing) {
    if (value === null || value === "") return Report.element("div", { class: "words hint" }, missing);
    const latex = /[\\^_{}]/.test(value) && !value.includes("$");
    return Report.text.fill(Report.element("div", { class: "words" }), latex ? `\\(${value}\\)` : value);
  }

  moves(sample, others) {
    const { element: make } = Report;
    const steps = this.runSteps(sample, others);
    const at = steps.indexOf(sample.step);
    const button = (label, by) => make("button", {
      type: "button", disabled: steps[at + by] === undefined, onclick: () => this.step(sample, by),
    }, label);
    return make("div", { class: "moves" }, button("\u2190 earlier step", -1), button("later step \u2192", 1),
      make("button", { type: "button", class: "close", onclick: this.close }, "Close"));
  }

  runSteps(sample, others) {
    const own = others.filter((other) => other.run === sample.run && other.validation === sample.validation);
    return [...new Set(own.map((other) => other.step))].sort((a, b) => a - b);
  }

  /* Go to the same problem's answer at the step before or after, the same one of its group where it has as many. */
  step(sample, by) {
    const others = this.siblings(sample).filter((other) => other.run === sample.run && other.validation === sample.validation);
    const steps = this.runSteps(sample, others);
    const wanted = steps[steps.indexOf(sample.step) + by];
    if (wanted === undefined) return;
    const number = others.filter((other) => other.step === sample.step).findIndex((other) => other.i === sample.i);
    const there = others.filter((other) => other.step === wanted);
    this.go(there[Math.min(number, there.length - 1)].i);
  }

  facts(sample) {
    const { element: make } = Report;
    const number = (value) => Number(value.toPrecision(4)).toString();
    const rows = [];
    if (sample.length !== null) rows.push(["Length", `${sample.length} tokens`]);
    if (sample.advantage !== null) rows.push(["Advantage", number(sample.advantage)]);
    if (sample.ratio) {
      const [sum, low, high] = sample.ratio;
      rows.push(["Log ratios of its tokens", `${number(low)} to ${number(high)}`]);
      if (sample.length) rows.push(["Geometric mean ratio", number(Math.exp(sum / sample.length))]);
    }
    if (!rows.length) return null;
    return make("dl", { class: "facts" }, ...rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  /* Every answer to this problem: a line for each run and kind, its steps in order, a button an answer. */
  follow(sample, others) {
    if (others.length < 2) return null;
    const { element: make } = Report;
    const lines = this.grouped(others, (other) => `${other.validation}|${other.run}`);
    const body = make("div", { class: "follow", role: "group", "aria-label": "This problem across steps" });
    for (const answers of lines.values()) {
      const [first] = answers;
      const name = this.runs.length > 1 ? `, ${this.runs[first.run]}` : "";
      const list = make("ul", {});
      for (const [step, there] of this.grouped(answers, (answer) => answer.step)) {
        list.append(make("li", {}, make("span", {}, `step ${step}`), ...there.map((answer) => this.button(answer, sample))));
      }
      body.append(make("h4", {}, `${first.validation ? "Validation" : "Training"}${name}`), list);
    }
    return make("div", {}, make("h3", {}, "This problem across steps"), body);
  }

  grouped(items, key) {
    const groups = new Map();
    for (const item of items) groups.set(key(item), [...(groups.get(key(item)) || []), item]);
    return groups;
  }

  button(answer, chosen) {
    const { glyph, word, kind } = Report.SampleDetail.verdict(answer);
    const said = Report.text.plain(answer.answer ?? "no answer");
    return Report.element("button", {
      type: "button", class: kind, title: said, "aria-current": answer.i === chosen.i ? "true" : null,
      "aria-label": `${word}, ${Report.SampleDetail.place(answer, this.runs)}: ${said}`, onclick: () => this.go(answer.i),
    }, glyph);
  }
};
