// The live view: follows the states of the store, walks through them, and does what the buttons say.

import { Refused, follow, json, send, setToken } from "./server.js";
import { drawArrows, drawPicture } from "./picture.js";
import { drawBytes } from "./bytes.js";
import { drawNotes, drawStats } from "./head.js";
import { differences, number, signed, sizes } from "./words.js";

/** So many steps are kept here, as on the server. */
const MOST_STEPS = 200;
/** So many changes are listed. */
const MOST_CHANGES = 12;
/** How long a step is shown, in milliseconds, when several come at once. */
const PACE = 800;

/** What the form offers, one after the other. */
const SAMPLES = [
  ["fish", "hilsa"], ["fruit", "jackfruit"], ["game", "kabaddi"], ["poet", "Nazrul"],
  ["tree", "mango"], ["animal", "tiger"], ["cloth", "muslin"], ["boat", "dinghy"],
];

const part = (id) => document.getElementById(id);
const state = { about: null, steps: [], at: -1, isAtEnd: true, chosen: null, timer: null, sample: 0, isBusy: false };

const shown = () => state.steps[state.at];
const newest = () => state.steps.at(-1);
const layoutBefore = () => state.steps[state.at - 1]?.layout;

/** What a screen reader hears, and everybody reads. */
function say(text, isBad = false) {
  part("said").textContent = text;
  part("said").classList.toggle("bad", isBad);
}

function fill(list, items) {
  part(list).replaceChildren(...items);
}

function item(text, look = "") {
  const made = document.createElement("li");
  made.className = look;
  made.textContent = text;
  return made;
}

/* ---- the steps ---- */

function hear(step) {
  const last = newest()?.number ?? 0;
  if (step.number <= last) {
    // Another server, or the same one begun anew.
    state.steps = [];
    state.at = -1;
  }
  state.steps.push(step);
  if (state.steps.length > MOST_STEPS) {
    state.steps.shift();
    state.at -= 1;
  }
  if (state.isAtEnd) {
    advance();
  } else {
    drawWalk();
  }
}

/** Goes to the newest step: at once, but through the stages of a compaction one after the other, so that each can be seen. */
function advance() {
  if (state.timer !== null) {
    return;
  }
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const last = state.steps.length - 1;
  if (state.at < 0) {
    // What comes together at the beginning is shown by its end.
    state.timer = setTimeout(() => {
      state.timer = null;
      show(state.steps.length - 1);
    }, 60);
    return;
  }
  if (!state.isAtEnd || state.at >= last) {
    return;
  }
  const isStage = (step) => !calm && step.what.includes(", under way: ");
  const pending = state.steps.findIndex((step, place) => place > state.at && isStage(step));
  show(pending < 0 ? last : pending);
  if (isStage(shown())) {
    state.timer = setTimeout(() => {
      state.timer = null;
      advance();
    }, PACE);
  }
}

function go(place) {
  const last = state.steps.length - 1;
  const to = Math.max(0, Math.min(place, last));
  state.isAtEnd = to === last;
  show(to);
  say(`Step ${shown().number} of ${newest().number}: ${shown().what}`);
}

function show(place) {
  state.at = place;
  const step = shown();
  const places = step.layout.places;
  if (!places.some((one) => one.key === state.chosen)) {
    state.chosen = places[0]?.key ?? null;
  }
  part("what").textContent = step.what;
  const lines = differences(layoutBefore(), step.layout);
  fill("changed", lines.map(([look, text]) => item(text, look)));
  part("trouble").hidden = !step.layout.trouble;
  part("trouble").textContent = step.layout.trouble ? `In the files: ${step.layout.trouble}` : "";
  draw(true);
  drawBytes(step.layout.newest, state.about);
  drawSizes(step);
  part("bytes-part").hidden = !state.about.has_a_log;
  part("disk-part").hidden = !state.about.is_temporary;
  fill("disk", step.disk.map((deed) => item(deed)));
  if (!step.disk.length) {
    fill("disk", [item("nothing", "quiet")]);
  }
  drawWalk();
  drawButtons();
}

function draw(moves = false) {
  const choose = (key) => {
    state.chosen = key;
    draw();
    drawButtons();
    say(`${key} is chosen`);
  };
  drawPicture(shown(), state.about, state.chosen, choose, moves);
}

function drawWalk() {
  const isFirst = state.at <= 0;
  const isLast = state.at >= state.steps.length - 1;
  part("first").disabled = part("back").disabled = isFirst;
  part("forward").disabled = part("newest-step").disabled = isLast;
  part("where").textContent = shown() ? `Step ${shown().number} of ${newest().number}` : "…";
  part("past").hidden = isLast;
}

function drawSizes(step) {
  const rows = sizes(layoutBefore(), step.layout).map(({ name, old, now, change }) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    const cells = [number(old), number(now), signed(change)].map((text) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      return cell;
    });
    row.className = change === 0 ? "same" : "other";
    row.append(head, ...cells);
    return row;
  });
  const table = part("sizes");
  table.tHead?.remove();
  table.tBodies[0]?.remove();
  const head = table.createTHead().insertRow();
  for (const title of ["file", "before", "after", "change"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  table.createTBody().append(...rows);
}

/* ---- the buttons ---- */

const chosenPlace = () => newest()?.layout.places.find((place) => place.key === state.chosen && place.path !== null);
const pathOf = (place) => `/v1/keys/${place.path}`;

function drawButtons() {
  const { about } = state;
  const isOpen = newest().is_open && !state.isBusy;
  const place = chosenPlace();
  const key = state.chosen ?? "…";
  part("set").disabled = !isOpen;
  part("sync").disabled = !isOpen;
  part("compact").disabled = !isOpen || !about.can_compact;
  part("overwrite").disabled = part("delete").disabled = !isOpen || !place;
  part("overwrite").textContent = `Overwrite ${key}`;
  part("delete").textContent = `Delete ${key}`;
  part("crashes").hidden = !about.is_temporary;
  part("kill").disabled = part("power").disabled = !isOpen;
  part("reopen").disabled = state.isBusy;
}

/** Does what a button says, and tells how it went. */
async function act(what, work) {
  if (state.isBusy) {
    return;
  }
  state.isBusy = true;
  state.isAtEnd = true;
  const before = newest().number;
  const focused = document.activeElement;
  say(`${what} …`);
  try {
    await work();
    await arrived(before);
    const step = newest();
    const said = differences(state.steps.at(-2)?.layout, step.layout).map(([, text]) => text);
    say([`Step ${step.number}, ${step.what}`, ...said.slice(0, 3)].join(". "));
  } catch (error) {
    say(`${what}: ${error.message}`, true);
  } finally {
    state.isBusy = false;
    drawButtons();
    // A store that has crashed can only be opened again.
    (focused?.disabled ? part("reopen") : focused)?.focus();
    drawStats(newest());
  }
}

/** Waits a while for the steps that a request made. Of a real store they are seen from outside, and there may be none. */
async function arrived(before) {
  const PATIENCE = 2000;
  const begun = performance.now();
  const last = state.about.is_temporary ? (await json("/view/layout")).number : before + 1;
  while (newest().number < last && performance.now() - begun < PATIENCE) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

function offer() {
  const [key, value] = SAMPLES[state.sample % SAMPLES.length];
  part("key").value = state.about.key_form.replace("NAME", key);
  part("value").value = value;
}

function listen() {
  const bump = (value) => {
    const [, text, count] = /^(.*?)(?: (\d+))?$/s.exec(value);
    return `${text} ${Number(count ?? 1) + 1}`;
  };
  part("set-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [key, value] = [part("key").value, part("value").value];
    act(`Set ${key}`, async () => {
      await send("PUT", `/v1/keys/${encodeURIComponent(key)}`, value);
      state.chosen = key;
      if (key === state.about.key_form.replace("NAME", SAMPLES[state.sample % SAMPLES.length][0])) {
        state.sample += 1;
        offer();
      }
    });
  });
  part("overwrite").addEventListener("click", () => {
    const place = chosenPlace();
    act(`Overwrite ${place.key}`, async () => {
      const isOurs = state.about.is_temporary;
      const value = isOurs ? bump(await (await send("GET", pathOf(place))).text()) : part("value").value;
      await send("PUT", pathOf(place), value);
    });
  });
  part("delete").addEventListener("click", () => {
    const place = chosenPlace();
    act(`Delete ${place.key}`, () => send("DELETE", pathOf(place)));
  });
  for (const [id, what, path] of [
    ["sync", "Sync", "/v1/sync"],
    ["compact", "Compact", "/v1/compact"],
    ["kill", "Crash: kill", "/view/crash?how=kill"],
    ["power", "Crash: power", "/view/crash?how=power"],
    ["reopen", "Reopen", "/view/reopen"],
  ]) {
    part(id).addEventListener("click", () => act(what, () => send("POST", path)));
  }
  part("first").addEventListener("click", () => go(0));
  part("back").addEventListener("click", () => go(state.at - 1));
  part("forward").addEventListener("click", () => go(state.at + 1));
  part("newest-step").addEventListener("click", () => go(state.steps.length - 1));
  let width = 0;
  new ResizeObserver(([entry]) => {
    // Its height follows from what is drawn.
    if (Math.round(entry.contentRect.width) !== width && shown()) {
      width = Math.round(entry.contentRect.width);
      draw();
    }
  }).observe(part("board"));
  document.fonts?.ready.then(() => shown() && drawArrows(shown().layout, shown().is_open && state.about.has_a_log, state.chosen));
}

/* ---- the streams ---- */

function followChanges() {
  const note = part("changes-note");
  if (!state.about.can_follow) {
    note.textContent = `The stage ${state.about.stage} keeps no log of changes that can be followed.`;
    return;
  }
  note.textContent = "From /v1/changes, as any program can follow them; the newest first.";
  const heard = (event) => {
    if (event.type !== "message") {
      return;
    }
    const change = JSON.parse(event.data);
    const text = (part) => (typeof part === "string" ? part : JSON.stringify(part));
    const what = change.deleted ? `delete ${text(change.key)}` : `set ${text(change.key)} = ${text(change.value)}`;
    const made = item(`${number(change.sequence)}  ${what}`.slice(0, 120), change.deleted ? "gone" : "come");
    part("changes").prepend(made);
    while (part("changes").children.length > MOST_CHANGES) {
      part("changes").lastChild.remove();
    }
  };
  let isFirst = state.about.is_temporary;
  const path = () => {
    const since = isFirst ? "?since=start" : "";
    isFirst = false;
    return `/v1/changes${since}`;
  };
  follow(path, heard, () => {}, () => newest()?.is_open ?? true);
}

async function begin() {
  let about;
  try {
    about = await json("/view/about");
  } catch (error) {
    const needsToken = error instanceof Refused && error.status === 401;
    part("ask").hidden = !needsToken;
    part("trouble").hidden = false;
    part("trouble").textContent = needsToken ? "The server lets nobody in without its token." : error.message;
    if (needsToken) {
      part("token").focus();
    }
    return;
  }
  part("ask").hidden = true;
  part("trouble").hidden = true;
  document.body.classList.add("ready");
  state.about = about;
  part("stage").textContent = `Stage ${about.number}: ${about.stage}`;
  part("summary").textContent = `${about.summary[0].toUpperCase()}${about.summary.slice(1)}. What still hurts: ${about.hurts}.`;
  offer();
  drawNotes(about);
  listen();
  followChanges();
  drawStats(newest());
  let count = 0;
  const heard = (event) => {
    hear(JSON.parse(event.data));
    const mine = ++count;
    // Once for those that come together.
    setTimeout(() => mine === count && drawStats(newest()), 150);
  };
  await follow(() => "/view/states?since=0", heard, (error) => {
    document.body.classList.toggle("cut", error !== null);
    if (error) {
      say(`The connection broke off: ${error.message}. Trying again.`, true);
    }
  });
}

part("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(part("token").value);
  begin();
});
begin();
