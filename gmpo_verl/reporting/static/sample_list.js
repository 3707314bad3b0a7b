"use strict";
/* A list of which only the rows on the screen exist, so that ten thousand scroll as ten do. */
Report.SampleList = class {
  static ROW = 64;
  static SPARE = 8;

  constructor(element, { row, choose, leave, step }) {
    Object.assign(this, { element, row, choose, leave, step });
    this.spacer = element.querySelector(".spacer");
    this.items = [];
    this.chosen = -1;
    this.rows = new Map();
    element.addEventListener("scroll", () => this.draw(), { passive: true });
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.select(Number(row.dataset.place), true);
    });
    new ResizeObserver(() => this.draw()).observe(element);
  }

  /* Show other items; `chosen` is the place of the chosen one among them, -1 for none. */
  show(items, chosen) {
    this.items = items;
    this.chosen = chosen;
    this.spacer.style.height = `${items.length * Report.SampleList.ROW}px`;
    this.clear();
    if (chosen >= 0) this.reveal(chosen);
    this.draw();
  }

  clear() {
    this.rows.forEach((row) => row.remove());
    this.rows.clear();
  }

  draw() {
    const { ROW, SPARE } = Report.SampleList;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - SPARE);
    const last = Math.min(this.items.length, Math.ceil((this.element.scrollTop + this.element.clientHeight) / ROW) + SPARE);
    for (const [place, row] of this.rows) {
      if (place < first || place >= last) {
        row.remove();
        this.rows.delete(place);
      }
    }
    for (let place = first; place < last; place += 1) {
      if (!this.rows.has(place)) this.rows.set(place, this.make(place));
    }
    const active = this.rows.get(this.chosen);
    if (active) this.element.setAttribute("aria-activedescendant", active.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  make(place) {
    const row = Report.element("div", {
      class: "row", role: "option", id: `row-${place}`, "data-place": place,
      "aria-selected": String(place === this.chosen), "aria-setsize": this.items.length, "aria-posinset": place + 1,
    }, ...this.row(this.items[place]));
    row.style.top = `${place * Report.SampleList.ROW}px`;
    this.element.append(row);
    return row;
  }

  reveal(place) {
    const { ROW } = Report.SampleList;
    const top = place * ROW;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + ROW > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = top + ROW - this.element.clientHeight;
  }

  /* Choose the item at a place; `opened` when the reader asked to read it. */
  select(place, opened) {
    if (!(place >= 0 && place < this.items.length)) return;
    this.rows.get(this.chosen)?.setAttribute("aria-selected", "false");
    this.chosen = place;
    this.rows.get(place)?.setAttribute("aria-selected", "true");
    this.reveal(place);
    this.draw();
    this.choose(this.items[place], opened);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / Report.SampleList.ROW) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      const place = Math.min(Math.max(this.chosen + moves[event.key], 0), this.items.length - 1);
      this.select(place, false);
    } else if (event.key === "Enter" || event.key === " ") this.select(Math.max(this.chosen, 0), true);
    else if (event.key === "Escape") this.leave();
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.step(event.key === "ArrowLeft" ? -1 : 1);
    else return;
    event.preventDefault();
  }
};
