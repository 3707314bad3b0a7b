"use strict";
/* Where the reader is: kept for this tab, so that the page can load itself anew without moving under the reader. */
const Report = {};

Report.state = (() => {
  const key = `gmpo-report:${location.pathname}`;
  let values = {};
  try {
    values = JSON.parse(sessionStorage.getItem(key)) || {};
  } catch {
    // Storage is off: the page works, and forgets.
  }
  return {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      try {
        sessionStorage.setItem(key, JSON.stringify(values));
      } catch {
        // As above.
      }
    },
  };
})();

Report.json = (id) => JSON.parse(document.getElementById(id).textContent);

/* An element with attributes and children; text is only ever set as text. */
Report.element = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
};
