"use strict";
/* The form that narrows the answers down: its choices, what of them fits an answer, and the order. */
Report.SampleFilters = class {
  static COLUMNS = ["problem", "run", "validation", "step", "right", "truncated", "length", "ratio"];

  constructor(form, samples, runs, changed) {
    this.form = form;
    this.count = samples.count;
    this.column = Object.fromEntries(Report.SampleFilters.COLUMNS.map((name) => [name, samples.column(name)]));
    this.benchmarks = samples.problems().map(([, , , benchmark]) => benchmark);
    this.offer(runs);
    this.restore();
    let typing;
    form.addEventListener("input", (event) => {
      clearTimeout(typing);
      typing = setTimeout(changed, event.target.type === "search" ? 150 : 0);
    });
    form.addEventListener("reset", () => setTimeout(changed));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  get values() {
    return Object.fromEntries(new FormData(this.form));
  }

  /* Fill the choices with what there is; a choice of one is no choice. */
  offer(runs) {
    const { column, form } = this;
    const distinct = (values) => [...new Set(values)];
    const numbers = (values) => distinct(values).sort((a, b) => a - b);
    this.options("kind", distinct(column.validation).map((value) => [String(value), value ? "validation" : "training"]));
    this.options("run", numbers(column.run).map((run) => [String(run), runs[run]]));
    this.options("step", numbers(column.step).map((step) => [String(step), String(step)]));
    this.options("benchmark", distinct(this.benchmarks).sort().map((name) => [name, Report.text.plain(name) || "not said"]));
    form.elements.ending.parentElement.hidden = !column.truncated.some(Boolean);
    form.elements.order.querySelector("[value=ratio]").hidden = !column.ratio.some(Boolean);
  }

  options(name, values) {
    const select = this.form.elements[name];
    select.replaceChildren(new Option("all", ""), ...values.map(([value, label]) => new Option(label, value)));
    select.parentElement.hidden = values.length < 2;
  }

  restore() {
    for (const [name, value] of Object.entries(Report.state.get("filters") || {})) {
      const field = this.form.elements[name];
      if (field && (field.type === "search" || [...field.options].some((option) => option.value === value))) field.value = value;
    }
  }

  fits(i, { kind, run, step, verdict, ending, benchmark }) {
    const { column } = this;
    const is = (value, text) => !text || String(value) === text;
    const right = column.right[i];
    return is(column.validation[i], kind) && is(column.run[i], run) && is(column.step[i], step)
      && is(right === null ? "ungraded" : right ? "right" : "wrong", verdict)
      && is(column.truncated[i] ? "truncated" : "ended", ending)
      && is(this.benchmarks[column.problem[i]], benchmark);
  }

  /* Positions of the answers that fit, in the chosen order. */
  apply(values) {
    const { column } = this;
    const kept = [];
    for (let i = 0; i < this.count; i += 1) if (this.fits(i, values)) kept.push(i);
    const widest = (i) => (column.ratio[i] ? Math.max(-column.ratio[i][1], column.ratio[i][2]) : -1);
    const orders = {
      late: (a, b) => column.step[b] - column.step[a],
      long: (a, b) => (column.length[b] ?? -1) - (column.length[a] ?? -1),
      ratio: (a, b) => widest(b) - widest(a),
    };
    return orders[values.order] ? kept.sort(orders[values.order]) : kept;
  }
};
