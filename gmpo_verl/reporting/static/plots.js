"use strict";
/* Draws each figure when it comes near the screen, in the page's colours, and its numbers as a table on request. */
(() => {
  const source = document.getElementById("figures-data").textContent;
  const palette = Report.json("palette-data");
  const drawn = new Set();
  const plots = [...document.querySelectorAll(".plot")];

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",");

  /* The figures with the palette's other half on a dark page. */
  function figures() {
    let text = source;
    if (Report.theme.dark()) {
      for (const [light, dark] of palette) {
        text = text.replaceAll(light, dark).replaceAll(`rgba(${channels(light)},`, `rgba(${channels(dark)},`);
      }
    }
    return JSON.parse(text);
  }
  let current = figures();

  function themed(layout) {
    const narrow = innerWidth < 640;
    const axis = (own) => ({
      ...own, gridcolor: style("--grid"), linecolor: style("--line"), tickcolor: style("--line"), showline: true,
      fixedrange: narrow || undefined, nticks: narrow ? 5 : undefined,
    });
    return {
      ...layout,
      font: { family: getComputedStyle(document.body).fontFamily, size: narrow ? 12 : 13, color: style("--text") },
      hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: style("--text") } },
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
      dragmode: narrow ? false : "zoom",
    };
  }

  function draw(plot) {
    const key = plot.dataset.figure;
    const { data, layout } = current[key];
    const kept = (Report.state.get("zoom") || {})[key];
    const wanted = themed(layout);
    if (kept) {
      for (const [axis, range] of Object.entries(kept)) wanted[axis] = { ...wanted[axis], range, autorange: false };
    }
    const options = {
      displaylogo: false, responsive: true,
      displayModeBar: innerWidth < 640 ? false : "hover",
      modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
      toImageButtonOptions: { format: "svg", filename: key },
    };
    Plotly.react(plot, data, wanted, options);
    // The label says what is drawn; the drawing's loose words and numbers would only be noise to a screen reader.
    plot.querySelectorAll("svg.main-svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
    if (!drawn.has(plot)) plot.on("plotly_relayout", (change) => keepZoom(key, change));
    drawn.add(plot);
  }

  function keepZoom(key, change) {
    const zoom = Report.state.get("zoom") || {};
    const own = zoom[key] || {};
    for (const axis of ["xaxis", "yaxis"]) {
      if (`${axis}.range[0]` in change) own[axis] = [change[`${axis}.range[0]`], change[`${axis}.range[1]`]];
      if (change[`${axis}.autorange`]) delete own[axis];
    }
    zoom[key] = own;
    Report.state.set("zoom", zoom);
  }

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "200px" });
  plots.forEach((plot) => near.observe(plot));

  Report.theme.onChange(() => {
    current = figures();
    drawn.forEach(draw);
  });
  addEventListener("beforeprint", () => plots.forEach(draw));

  const shown = (value) => {
    if (value === null || value === undefined) return "\u2013";
    return typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);
  };

  function numbers(details) {
    const { data, layout } = current[details.dataset.figure];
    const sideways = data[0].orientation === "h";
    const place = (trace) => [...(sideways ? trace.y : trace.x)];
    const row = (cells, tag) => Report.element("tr", {}, ...cells.map((cell) => Report.element(tag, {}, shown(cell))));
    const table = Report.element("table", {});
    const wide = data.every((trace) => trace.mode !== "markers");
    if (wide) {
      const steps = [...new Set(data.flatMap(place))];
      if (!sideways) steps.sort((a, b) => a - b);
      const columns = data.map((trace) => new Map(place(trace).map((at, i) => [at, (sideways ? trace.x : trace.y)[i]])));
      table.append(row([layout.xaxis.title.text && !sideways ? layout.xaxis.title.text : "", ...data.map((trace) => trace.name)], "th"));
      for (const step of steps) table.append(row([step, ...columns.map((column) => column.get(step))], "td"));
    } else {
      table.append(row(["", layout.xaxis.title.text, layout.yaxis.title.text], "th"));
      for (const trace of data) trace.x.forEach((x, i) => table.append(row([trace.name, x, trace.y[i]], "td")));
    }
    details.append(Report.element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers" }, table));
  }
  for (const details of document.querySelectorAll(".numbers")) {
    details.addEventListener("toggle", () => details.open && details.children.length === 1 && numbers(details));
  }
})();
