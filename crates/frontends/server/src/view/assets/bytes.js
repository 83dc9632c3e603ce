// The bytes of the newest record: a run of hexadecimal digits, and a row for each field.

import { bytes, shortName } from "./words.js";

/** So many bytes of a field are shown. */
const SHOWN = 48;

/** Which of the colours a field has, by its name: the same in every format. */
function hue(name) {
  if (/checksum|crc/.test(name)) return "check";
  if (/length|records/.test(name)) return "length";
  if (/sequence|version|end$/.test(name) && name !== "end") return "sequence";
  if (name === "key") return "key";
  if (name === "value" || name === "writes") return "value";
  if (/operation|deleted|more/.test(name)) return "kind";
  return "mark";
}

const letter = (place) => (place < 26 ? String.fromCharCode(97 + place) : `a${letter(place - 26)}`);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const pairs = (hex) => (hex.match(/../g) ?? []).slice(0, SHOWN);

/** The same bytes as text: a point for what is no letter. */
function ascii(hex) {
  const letters = pairs(hex).map((pair) => {
    const code = Number.parseInt(pair, 16);
    return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
  });
  return letters.join("");
}

/** Where there may be none though there are keys: what is said of it. */
const NONE = {
  "sorted-log": "There is none in a log: all that was written is in tables, which are sorted by key and do not say what came last.",
};

export function drawBytes(newest, about) {
  const part = (id) => document.getElementById(id);
  const [where, hex, table] = ["bytes-where", "hex", "fields"].map(part);
  hex.replaceChildren();
  table.tBodies[0]?.remove();
  table.tHead?.remove();
  if (!newest) {
    where.textContent = NONE[about.stage] ?? "There is none in what was read of the files.";
    return;
  }
  where.textContent = `${newest.text}. In ${newest.file}, from byte ${newest.at} on, ${bytes(newest.len)}.`;
  const head = element("thead", {});
  const titles = ["", "Field", "Offset, text", "Meaning"].map((title) => element("th", { scope: "col" }, title));
  head.append(element("tr", {}, ...titles));
  const rows = element("tbody", {});
  newest.fields.forEach((field, place) => {
    const [mark, kind] = [letter(place), hue(field.name)];
    const more = field.len > SHOWN ? " …" : "";
    hex.append(
      element(
        "span",
        { class: `run ${kind}`, title: `${field.name}: ${field.meaning}` },
        element("sup", { "aria-hidden": "true" }, mark),
        pairs(field.hex).join(" ") + more,
      ),
      " ",
    );
    rows.append(
      element(
        "tr",
        {},
        element("td", {}, element("span", { class: `swatch ${kind}` }, mark)),
        element("th", { scope: "row" }, field.name),
        element(
          "td",
          { class: "raw" },
          element("span", { class: "offset" }, `${field.at}`),
          element("code", {}, ascii(field.hex) + more),
        ),
        element("td", { class: "meaning" }, field.meaning),
      ),
    );
  });
  table.append(head, rows);
  table.setAttribute("aria-label", `${shortName(newest.file)}, byte ${newest.at}`);
}
