// What stands above the figure, and below the buttons: sizes, and what can be done here.

import { json } from "./server.js";
import { bytes, number } from "./words.js";

const part = (id) => document.getElementById(id);

/** The sizes of the store, if somebody has it open. */
export async function drawStats(newest) {
  const list = part("stats");
  let rows;
  if (newest && !newest.is_open) {
    rows = [["the store", "has crashed, and nobody has it open"]];
  } else {
    try {
      const stats = await json("/v1/stats");
      rows = [
        ["keys", number(stats.live_keys)],
        ["live", bytes(stats.live_bytes)],
        ["on the disk", bytes(stats.disk_bytes)],
        ["index", bytes(stats.index_bytes)],
        ["writes survive", stats.durability],
      ];
    } catch (error) {
      rows = [["the store", error.message]];
    }
  }
  list.replaceChildren(
    ...rows.flatMap(([name, text]) => {
      const [term, value] = ["dt", "dd"].map((tag) => document.createElement(tag));
      term.textContent = name;
      value.textContent = text;
      return [term, value];
    }),
  );
}

/** What the buttons do, and do not do, on this server. */
export function drawNotes(about) {
  const notes = [`Writes are synced ${about.syncs}.`];
  if (!about.can_compact) {
    notes.push(`Compact is off: the stage ${about.stage} has nothing to compact.`);
  }
  if (about.is_temporary) {
    notes.push(
      "The store lies on a disk in memory, and ends with the server.",
      "Crash: kill stops the process between two operations. What was written stays, because the system has it; what was only in memory is gone.",
      "Crash: power takes every byte that no sync made durable. That is the worst a loss of power can do; a real disk may have kept some.",
      "Reopen opens the store as the crash left it; with no crash before, it closes it first.",
    );
  } else {
    notes.push(
      "This is a real store: what you set, overwrite and delete stays so. Overwrite writes the value above.",
      "It has no button to crash: cargo xtask view makes a temporary store that has one.",
    );
  }
  part("notes").replaceChildren(
    ...notes.map((text) => {
      const line = document.createElement("p");
      line.textContent = text;
      return line;
    }),
  );
}
