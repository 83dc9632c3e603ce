// The picture: the index, the files as bars of records, and the arrows from one to the other.

import { CLASSES, bytes, many, nameOf, number, shortName, used } from "./words.js";
import { play, remember } from "./motion.js";

const SVG = "http://www.w3.org/2000/svg";
const BAR = 38;
/** So wide is the reserve of a file drawn, in pixels, however large it is. */
const RESERVE = 30;
/** A run that nobody has read takes this part of its bar at most. */
const UNREAD = 0.15;
/** Arrows to one bar run side by side above it: so far from each other, and in so much room at most, in pixels. */
const LANE = 5;
const LANES = 34;
/** Between the lowest of them and the bar there is room for the tips. */
const TIPS = 11;
/** So many keys have a button. */
const KEYS = 14;
const LETTER = 7.4;
/** The group of the logs that say what is in memory. */
const MEMTABLE = "memtable";

/** By stage: the name of the list of keys, what the arrows mean, and what is said where it was after a crash. */
const MEANING = {
  "scan-log": [
    "Keys, without an index",
    "This stage has no index. A get reads the file from its end until it meets the key: each arrow ends where that is.",
    "No process has the store open. What counts is in the file, and the next one will find it there.",
  ],
  "replay-log": [
    "Map in memory",
    "The map in memory holds every value, and a get never reads a file. Each arrow ends where opening the store takes the value from.",
    "It was memory, and is gone with the process. Opening the store makes it anew from the files.",
  ],
  "hash-log": [
    "Index in memory",
    "The index in memory holds some ten bytes a key: where its newest record lies. Each arrow is such an entry, and a get reads that record alone.",
    "It was memory, and is gone with the process. Opening the store makes it anew from the files.",
  ],
  "sorted-log": [
    "Memtable and tables",
    "A get asks the memtable, then table after table from the newest to the oldest, and stops at the first that knows the key. An arrow into a log stands for a key in the memtable: the log says the same, and is read only after a crash. An arrow into a table ends at an entry of a block.",
    "The memtable was memory, and is gone with the process. Opening the store reads it from the log again; the tables are as they were.",
  ],
};

const part = (id) => document.getElementById(id);

function html(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Draws a step. `choose` is told which key was chosen. What has another place than before moves there if `moves`. */
export function drawPicture(step, about, chosen, choose, moves) {
  const board = part("board");
  const before = moves ? remember(board) : new Map();
  const { layout } = step;
  const [name, meaning] = MEANING[about.stage] ?? ["Files", ""];
  board.classList.toggle("plain", !about.has_a_log);
  part("index-name").textContent = name;
  part("arrows-mean").textContent = about.has_a_log
    ? meaning
    : `Stage ${about.number}, ${about.stage}, keeps no log: ${about.summary}. There are no records to point at, so only its files are shown.`;
  drawKeys(step, about, chosen, choose);
  drawFiles(layout, about);
  drawLegend(layout, about);
  part("left-out").textContent = layout.left_out.length ? `Left out: ${layout.left_out.join("; ")}.` : "";
  drawArrows(layout, step.is_open && about.has_a_log, chosen);
  play(board, before);
}

function drawKeys(step, about, chosen, choose) {
  const [list, more] = [part("keys"), part("more-keys")];
  const hadFocus = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  list.replaceChildren();
  const { places, keys } = step.layout;
  if (!step.is_open) {
    more.textContent = MEANING[about.stage]?.[2] ?? "";
    return;
  }
  for (const place of places.slice(0, KEYS)) {
    const where = `${shortName(place.file)}, at ${number(place.at)}`;
    const short = where.replace(", at", " ·");
    const button = html(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-pressed": String(place.key === chosen),
        "aria-label": `${place.key}: ${where}. Choose it`,
        "data-key": place.key,
        "data-ids": `key:${place.key}`,
      },
      html("b", {}, place.key),
      html("span", {}, short),
    );
    button.addEventListener("click", () => choose(place.key));
    list.append(html("li", {}, button));
    if (place.key === hadFocus) {
      button.focus();
    }
  }
  const rest = keys - Math.min(places.length, KEYS);
  if (places.length === 0) {
    more.textContent = about.has_a_log ? "No key has a value." : "";
  } else {
    more.textContent = rest > 0 ? `and ${many(rest, "more key")}` : "";
  }
}

/** The files that are drawn as bars, and the small ones around them. */
function drawFiles(layout, about) {
  const list = part("files");
  list.replaceChildren();
  const bars = layout.files.filter((file) => file.is_log || !about.has_a_log);
  const room = Math.max(120, list.clientWidth - RESERVE - 4);
  const scale = (some) => room / Math.max(1, ...some.map((file) => weight(file)));
  // Of a large store the end of a log would be a dot beside its tables.
  const isLog = (file) => file.group === MEMTABLE;
  const isApart = bars.some((file) => file.group && !file.is_whole);
  const scales = isApart
    ? [scale(bars.filter(isLog)), scale(bars.filter((file) => !isLog(file)))]
    : [scale(bars), scale(bars)];
  let group;
  for (const file of bars) {
    if (file.group && file.group !== group) {
      group = file.group;
      list.append(html("li", { class: "group" }, group));
    }
    list.append(bar(file, scales[isLog(file) ? 0 : 1], pointedAt(layout, file)));
  }
  const others = layout.files.filter((file) => !bars.includes(file));
  part("others").replaceChildren(
    ...(others.length ? ["Beside them: "] : []),
    ...others.flatMap((file, place) => [
      place ? " · " : "",
      html("span", { title: file.role }, html("code", {}, file.name), ` ${number(file.bytes)}`),
    ]),
  );
}

/** How much of a bar a run takes: its bytes, but what was not read is drawn shorter. */
function widths(file) {
  const read = file.records.filter((run) => run.class !== "unread" && run.class !== "reserve");
  const all = read.reduce((sum, run) => sum + run.len, 0);
  return file.records.map((run) => {
    if (run.class === "reserve") return 0;
    return run.class === "unread" ? Math.min(run.len, Math.max(1, all) * UNREAD) : run.len;
  });
}

function weight(file) {
  return file.records.length ? widths(file).reduce((sum, one) => sum + one, 0) : used(file);
}

/** `251 bytes: live 52 · dead 103`. */
function inWords(file) {
  const parts = CLASSES.filter(([kind]) => file.totals[kind] > 0).map(([kind]) => {
    return `${nameOf(kind)} ${number(file.totals[kind])}`;
  });
  return [bytes(file.bytes), parts.join(" · ")].filter(Boolean).join(": ");
}

/** How many arrows end at a file. */
const pointedAt = (layout, file) => layout.places.slice(0, KEYS).filter((place) => place.file === file.name).length;

const laneStep = (count) => Math.min(LANE, LANES / count);

function bar(file, scale, arrows) {
  const width = Math.max(weight(file) * scale, 2);
  const drawn = svg("svg", {
    class: "bar",
    width: width + RESERVE + 4,
    height: BAR,
    role: "img",
    "aria-label": `${file.name}, ${inWords(file)}`,
  });
  if (file.bytes === 0) {
    drawn.append(svg("rect", { class: "run frame", x: 0.5, y: 1, width: 3, height: BAR - 2, rx: 1 }));
  } else if (file.records.length) {
    runs(file, scale, drawn);
  } else {
    proportions(file, width, drawn);
  }
  if (file.totals.reserve > 0) {
    drawn.append(
      svg("rect", { class: "run reserve", x: width + 2, y: 1, width: RESERVE - 2, height: BAR - 2, rx: 2 }),
      svg("text", { class: "dim", x: width + 2 + RESERVE / 2, y: BAR / 2 + 4, "text-anchor": "middle" }, "…"),
    );
  }
  if (arrows > 0) {
    drawn.style.setProperty("margin-top", `${TIPS + arrows * laneStep(arrows)}px`);
  }
  const ids = file.is_log ? {} : { "data-ids": `file:${file.name}`, "data-look": "frame" };
  return html(
    "li",
    { class: "file", ...ids },
    html(
      "p",
      { class: "file-name" },
      html("code", {}, file.name),
      html("span", { class: "role" }, [file.role, file.note].filter(Boolean).join("; ")),
    ),
    drawn,
    html("p", { class: "totals" }, html("span", {}, file.is_log ? inWords(file) : bytes(file.bytes))),
  );
}

/** Every run of a file as a rectangle as long as its bytes. */
function runs(file, scale, drawn) {
  let x = 0;
  const lengths = widths(file);
  file.records.forEach((run, place) => {
    const width = lengths[place] * scale;
    if (run.class === "reserve") {
      return;
    }
    const what = run.key === undefined ? run.kind : `${run.kind} ${run.key}${run.value === undefined ? "" : ` = ${run.value}`}`;
    const names = [`${file.name}@${run.at}`];
    if (run.sequence !== undefined && run.key !== undefined) names.push(`sequence:${run.sequence}:${run.key}`);
    if (run.class === "live") names.push(`live:${run.key}`);
    const group = svg("g", {
      "data-ids": names.map((name) => name.replaceAll(" ", "_")).join(" "),
      "data-look": run.class,
      "data-place": `${file.name}@${run.at}`,
    });
    group.append(
      svg("rect", { class: `run ${run.class}`, x, y: 1, width: Math.max(width - 1, 1), height: BAR - 2, rx: 2 }),
      svg("title", {}, `${what}: ${nameOf(run.class)}, ${bytes(run.len)}, at ${run.at}`),
    );
    const label = run.key ?? (run.kind === "frame" ? "" : run.kind);
    const letters = Math.floor((width - 8) / LETTER);
    if (label && letters >= 2) {
      const short = label.length > letters ? `${label.slice(0, letters - 1)}…` : label;
      group.append(svg("text", { class: `label ${run.class}`, x: x + 5, y: BAR / 2 + 4 }, short));
    }
    drawn.append(group);
    x += width;
  });
}

/** A file of too many records: how much of it is of each class. */
function proportions(file, width, drawn) {
  let x = 0;
  const all = Math.max(1, used(file));
  for (const [kind] of CLASSES) {
    const share = kind === "reserve" ? 0 : (file.totals[kind] / all) * width;
    if (share > 0) {
      drawn.append(
        svg(
          "rect",
          { class: `run ${kind}`, x, y: 1, width: Math.max(share - 1, 1), height: BAR - 2, rx: 2 },
          svg("title", {}, `${nameOf(kind)}: ${bytes(file.totals[kind])}`),
        ),
      );
      x += share;
    }
  }
}

function drawLegend(layout, about) {
  const bars = layout.files.filter((file) => file.is_log && about.has_a_log);
  const there = CLASSES.filter(([kind]) => bars.some((file) => file.totals[kind] > 0));
  part("legend").replaceChildren(
    ...there.map(([kind, name, means]) => {
      const look = svg("rect", { class: `run ${kind}`, x: 0.5, y: 0.5, width: 25, height: 13, rx: 2 });
      const swatch = svg("svg", { width: 26, height: 14, "aria-hidden": "true" }, look);
      return html("li", {}, swatch, html("b", {}, name), ` ${means}`);
    }),
  );
}

/** Where the record of a place is drawn, or where it would lie in a bar of too many. */
function target(place, layout, origin) {
  const drawn = document.querySelector(`[data-place="${CSS.escape(`${place.file}@${place.at}`)}"] rect`);
  if (drawn) {
    const box = drawn.getBoundingClientRect();
    return { x: box.left + box.width / 2 - origin.left, top: box.top - origin.top };
  }
  const bars = layout.files.filter((file) => file.is_log);
  const which = bars.findIndex((file) => file.name === place.file);
  const box = part("files").querySelectorAll(".bar")[which]?.getBoundingClientRect();
  if (!box) {
    return null;
  }
  const along = place.at / Math.max(1, used(bars[which]));
  const x = box.left + Math.min(1, along) * (box.width - RESERVE - 4) - origin.left;
  return { x, top: box.top - origin.top };
}

export function drawArrows(layout, areShown, chosen) {
  const [board, arrows] = [part("board"), part("arrows")];
  const origin = board.getBoundingClientRect();
  arrows.setAttribute("width", origin.width);
  arrows.setAttribute("height", origin.height);
  arrows.replaceChildren();
  if (!areShown) {
    return;
  }
  const chips = [...part("keys").querySelectorAll(".chip")];
  const ends = chips.map((chip, place) => {
    const box = chip.getBoundingClientRect();
    const start = { x: box.right - origin.left, y: box.top + box.height / 2 - origin.top };
    return { start, place: layout.places[place], to: target(layout.places[place], layout, origin) };
  });
  const known = ends.filter((end) => end.to);
  // The way to the farthest record lies on top, so that none crosses another's way down.
  const far = (one, other) => other.to.x - one.to.x;
  for (const file of layout.files) {
    const here = known.filter((end) => end.place.file === file.name).sort(far);
    here.forEach((end, lane) => {
      end.lane = end.to.top - TIPS - (here.length - 1 - lane) * laneStep(here.length);
    });
  }
  const left = part("files").getBoundingClientRect().left - origin.left;
  const paths = known.map((end, place) => {
    const room = left - end.start.x;
    // From the left, one after the other, in the space between the keys and the files.
    const x = end.start.x + (room * (known.length - place)) / (known.length + 1);
    const isChosen = end.place.key === chosen;
    return svg("path", {
      class: isChosen ? "arrow chosen" : "arrow",
      "data-key": end.place.key,
      d: route([end.start, { x, y: end.start.y }, { x, y: end.lane }, { x: end.to.x, y: end.lane }, { x: end.to.x, y: end.to.top - 1 }]),
      "marker-end": isChosen ? "url(#tip-chosen)" : "url(#tip)",
    });
  });
  // The chosen one on top.
  arrows.append(...paths.filter((path) => !path.classList.contains("chosen")));
  arrows.append(...paths.filter((path) => path.classList.contains("chosen")));
}

/** A line through these points, with round corners. */
function route(points) {
  const RADIUS = 5;
  let line = `M${points[0].x} ${points[0].y}`;
  for (let place = 1; place < points.length - 1; place += 1) {
    const [before, corner, after] = points.slice(place - 1, place + 2);
    const near = (other) => {
      const length = Math.hypot(other.x - corner.x, other.y - corner.y) || 1;
      const part = Math.min(RADIUS, length / 2) / length;
      return `${corner.x + (other.x - corner.x) * part} ${corner.y + (other.y - corner.y) * part}`;
    };
    line += `L${near(before)}Q${corner.x} ${corner.y} ${near(after)}`;
  }
  return `${line}L${points.at(-1).x} ${points.at(-1).y}`;
}
