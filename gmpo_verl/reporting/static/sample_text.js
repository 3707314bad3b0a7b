"use strict";
/* Text of a model, as text: mathematics becomes MathML, invisible characters become visible, nothing becomes markup. */
Report.text = (() => {
  const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
  const MAX_FORMULA = 3000;
  const MAX_FORMULAS = 400;
  const ENVIRONMENTS = "align|align\\*|equation|equation\\*|gather|gather\\*|cases|array|matrix|pmatrix|bmatrix|vmatrix|aligned";
  const OPENINGS = new RegExp(`\\$\\$|\\$|\\\\\\[|\\\\\\(|\\\\boxed\\s*\\{|\\\\begin\\{(${ENVIRONMENTS})\\}`, "g");
  const code = (char) => `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

  /* For one line of plain text, as in the list. */
  const plain = (text) => text.replace(INVISIBLE, (char) => `<${code(char)}>`);

  function appendPlain(parent, text) {
    let from = 0;
    for (const found of text.replaceAll("\r\n", "\n").matchAll(INVISIBLE)) {
      parent.append(found.input.slice(from, found.index), Report.element("span", { class: "control", title: "an invisible character" }, code(found[0])));
      from = found.index + found[0].length;
    }
    parent.append(text.replaceAll("\r\n", "\n").slice(from));
  }

  function closingBrace(text, open) {
    let depth = 0;
    for (let at = open; at < Math.min(text.length, open + MAX_FORMULA); at += 1) {
      if (text[at] === "\\") at += 1;
      else if (text[at] === "{") depth += 1;
      else if (text[at] === "}" && (depth -= 1) === 0) return at;
    }
    return -1;
  }

  /* [LaTeX, end, display] of the formula that begins at a match of OPENINGS, or null where none does. */
  function formula(text, found) {
    const [opening] = found;
    const start = found.index + opening.length;
    const upTo = (closing) => {
      const end = text.indexOf(closing, start);
      return end < 0 || end - start > MAX_FORMULA ? null : end;
    };
    if (opening === "$$" || opening === "\\[" || opening === "\\(") {
      const closing = { $$: "$$", "\\[": "\\]", "\\(": "\\)" }[opening];
      const end = upTo(closing);
      return end === null ? null : [text.slice(start, end), end + closing.length, opening !== "\\("];
    }
    if (opening === "$") {
      const end = upTo("$");
      if (end === null || end === start) return null;
      const inside = text.slice(start, end);
      // Two prices in a sentence are no formula.
      if (/^\s|\s$|\n\s*\n/.test(inside) || /\d/.test(text[end + 1] || "")) return null;
      return [inside, end + 1, false];
    }
    if (opening.startsWith("\\boxed")) {
      const end = closingBrace(text, start - 1);
      return end < 0 ? null : [text.slice(found.index, end + 1), end + 1, false];
    }
    const closing = `\\end{${found[1]}}`;
    const end = upTo(closing);
    return end === null ? null : [text.slice(found.index, end + closing.length), end + closing.length, true];
  }

  /* MathML of a formula; its source where it is none. */
  function mathematics(latex, display) {
    const place = Report.element("span", {});
    try {
      if (latex.search(INVISIBLE) >= 0) throw new Error("an invisible character");
      temml.render(latex, place, { displayMode: display, throwOnError: true, trust: false, maxSize: [8, 8], maxExpand: 200 });
    } catch {
      place.replaceChildren();
      place.className = "source";
      appendPlain(place, latex);
    }
    return place;
  }

  /* Fill an element with a text. */
  function fill(parent, text) {
    parent.dir = "auto";
    let from = 0;
    let drawn = 0;
    OPENINGS.lastIndex = 0;
    for (let found = OPENINGS.exec(text); found && drawn < MAX_FORMULAS; found = OPENINGS.exec(text)) {
      const escaped = text[found.index - 1] === "\\" && found[0][0] === "$";
      const math = escaped ? null : formula(text, found);
      if (!math) continue;
      const [latex, end, display] = math;
      appendPlain(parent, text.slice(from, found.index));
      parent.append(mathematics(latex, display));
      drawn += 1;
      from = end;
      OPENINGS.lastIndex = end;
    }
    appendPlain(parent, text.slice(from));
    return parent;
  }

  return { fill, plain };
})();
